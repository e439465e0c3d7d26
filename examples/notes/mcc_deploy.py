# /// script
# requires-python = ">=3.11"
# dependencies = ["mcc-deploy"]
# ///
"""Deploy this application: `uv run mcc_deploy.py --stage prod`, in the output folder on the server."""

from mcc import App

app = App()

if __name__ == "__main__":
    app()
