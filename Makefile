# Everything a person types. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run demo watch test faults check contracts docs licences sbom audit receipt-picture reference format mutation lock kafka-jars bench-slice bench-scorer bench-engine bench-plan bench-board bench-capacity bench soak wipe clean

BIN := .venv/bin

# Where it is set (many images do), each process compiles our code anew: a sixth of its start.
PYTHONDONTWRITEBYTECODE =
export PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock file (once; needs Python >= 3.11 and the network)
	@deploy/bootstrap/environment.sh

run: setup ## Start Kafka, Postgres and every service on this machine; Ctrl-C stops all
	@$(BIN)/leadscore up

demo: setup ## Send real shop events through a running Leadscore and show what became of them
	@$(BIN)/leadscore demo

watch: setup ## Start Prometheus with our alerts on what `make run` started; prints its address, Ctrl-C stops it
	@$(BIN)/python -m services.cli.watch

test: setup ## Run every test on real servers
	@$(BIN)/pytest -n 2 --dist worksteal

faults: setup ## Break everything, one fault after the other (SEED=… repeats a run, ROUNDS=3)
	@mkdir -p .cache
	@seed=$(or $(SEED),$$(date +%s)); rounds=$(or $(ROUNDS),3); echo "make faults SEED=$$seed ROUNDS=$$rounds"; \
		SEED=$$seed ROUNDS=$$rounds FAULT_REPORT=.cache/faults.txt $(BIN)/pytest -n 0 -m fault tests/faults

check: setup ## Check format, lint, types, imports, docs, contracts and metrics (under a minute)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest tests/test_docs.py tests/test_house_style.py tests/cli/contracts/test_written.py \
		tests/maintenance/test_no_secrets.py tests/maintenance/test_licences.py tests/maintenance/test_threat_model.py
	@$(BIN)/python -m services.cli.lint_metrics

docs: setup ## Build the documents as a site that works without a network (build/docs/site)
	@$(BIN)/python -m maintenance.site

licences: setup ## Write docs/licences.md anew; refuse what we must not depend on
	@$(BIN)/python -m maintenance.licences

sbom: setup ## Write a bill of materials for each service and the embedded Kafka (build/sbom)
	@$(BIN)/python -m maintenance.sbom

audit: setup ## Ask for known vulnerabilities of what the services bring along (needs the registry's JSON interface)
	@$(BIN)/python -m maintenance.audit

receipt-picture: setup ## Draw what `leadscore lead show` prints of a lead (LEAD=…) for the README
	@$(BIN)/python -m maintenance.receipt_picture $(LEAD)

reference: setup ## Write reference.env, docs/metrics.md, the commands and the dashboards anew from the code
	@$(BIN)/python -m services.cli.reference

contracts: setup ## Write OpenAPI, AsyncAPI and every JSON Schema anew from the code (deploy/contracts, deploy/schemas)
	@$(BIN)/python -m services.cli.contracts.write

format: setup ## Format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench-slice: setup ## Measure the whole path on this machine: ingest, scorer, post to webhook
	@$(BIN)/python -m benchmarks.slice

bench-scorer: setup ## Measure the scorer: backlog beside a peer and the bare SQL, among 10 million leads
	@$(BIN)/python -m benchmarks.scorer

bench-engine: setup ## Measure the scoring engine by itself: fold and score on one core, memory
	@$(BIN)/python -m benchmarks.engine

bench-plan: setup ## Measure `model plan` over a million events of a hundred thousand leads
	@$(BIN)/python -m benchmarks.plan

bench-board: setup ## Measure lists and searches among a million leads
	@$(BIN)/python -m benchmarks.board

bench-capacity: setup ## Measure what a million events cost, step by step (docs/capacity.md)
	@$(BIN)/python -m benchmarks.capacity

bench: setup ## Measure all of the above, one after the other, into docs/benchmarks.md (over an hour)
	@for each in engine slice board plan scorer capacity; do $(BIN)/python -m benchmarks.$$each --markdown || exit 1; done

soak: setup ## An hour at 70 % of what this machine can take, while things break (MINUTES=60, SEED=… repeats)
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),60) --markdown $(if $(SEED),--seed $(SEED))

mutation: setup ## Change every line of the scoring engine and see a situation fail (half an hour)
	@rm -rf mutants
	@$(BIN)/mutmut run --max-children 2
	@$(BIN)/mutmut results

lock: ## Write deploy/locks/*.txt anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@deploy/bootstrap/lock.sh $(if $(UPGRADE),--upgrade)

kafka-jars: ## Write the list of Kafka's jars anew (needs Maven; KAFKA=4.3.1)
	@deploy/bootstrap/kafka-jars.sh $(KAFKA)

wipe: setup ## Delete all data of `make run` on this machine (.data), after asking
	@$(BIN)/leadscore wipe

clean: ## Delete what can be made again: .venv, .cache, .tools, build, caches (not the data)
	@rm -rf mutants build .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
