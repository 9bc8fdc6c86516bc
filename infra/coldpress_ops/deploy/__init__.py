"""The application on AWS: `sam build` and `sam deploy`, with checks before and a question between."""
