"""The Hub: names, download, publish, search, cache. The one place that talks to huggingface_hub."""
