"""Why a model answers as it does, by family of model."""
