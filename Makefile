.PHONY: check test
check:  ## format, lint, types, walls between the layers, pure tests (under half a minute)
	scripts/check
test: check  ## everything that needs no GPU
	python -m pytest
