"""regressor: columns of a table -> hidden layers -> a value."""

from dataclasses import dataclass

from coldpress_build.baseline import Baseline, table_baseline
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.recipes import tabular_mlp
from coldpress_build.recipes.recipe import Prepared


@dataclass(frozen=True, kw_only=True)
class Config(tabular_mlp.Config):
    """Settings of the recipe; `--set name=value` overrides one."""

    unit: str = ""
    """Of the value, such as kg: the model's metadata has it."""


class Regressor:
    """Learns a value that depends on the columns of a table, by the least squared error.

    The target is standardised for the training, and made what it was in the graph.
    """

    name = "regressor"
    config = Config

    def load(self, source: str | None, config: Config) -> Dataset:
        """A file with a column of values to answer, or a packaged set; diabetes without either."""
        return tabular_mlp.load_rows(source, config, self.name, "diabetes", values=True)

    def split(self, data: Dataset, config: Config) -> Parts:
        """By the configuration's shares and seed."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """Ridge regression or gradient boosting, whichever is better on the validation part."""
        return table_baseline(parts)

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """Learn the columns and the target's middle and spread in the training part."""
        return tabular_mlp.prepare(parts, config, "regressor")
