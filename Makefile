.PHONY: check test
check:  ## format, lint, types, walls between the layers, tests that need no Ray
	scripts/check
test: check  ## everything that needs no GPU
	pytest -m 'ray and not gpu'
