.PHONY: check test
check:  ## format, lint, types, walls between the layers, tests of the pure layers
	scripts/check
test: check  ## everything that needs no GPU
	pytest
