"""Effects on the cluster: Ray, NVML, processes. The only importer of ray and pynvml."""
