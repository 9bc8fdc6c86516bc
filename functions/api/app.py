"""The control plane's handler: models, aliases, uploads, training runs, documentation. Wiring only."""

from control import aliases, documentation, failures, health, models, runs, telemetry, uploads
from control.deployment import from_environment
from control.gateway import Gateway
from mangum import Mangum

here = from_environment()
app = documentation.application()
app.state.deployment = here
failures.install(app)
telemetry.install(app)
for part in (health, models, aliases, uploads, runs):
    app.include_router(part.router)

# Mangum would otherwise start and stop the application around every single request.
handler = Mangum(app, "off", here.settings.base_path, [Gateway])
