"""The one place where adapters are built and handed to workflows."""
