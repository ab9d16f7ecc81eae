# 常用命令 · everyday commands. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_DISABLE_TELEMETRY ?= 1

MODELS := $(shell find models data/build -type f 2>/dev/null)
INSTALLED := $(VENV)/.installed
BUNDLES := var/bundles/.built

# Debian keeps ensurepip in a package of its own; where it is missing, the system's pip installs pip into the environment.
MAKE_VENV = $(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) \
	|| { $(PYTHON) -m venv --without-pip --clear $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }

.DEFAULT_GOAL := help
.PHONY: help serve test lint demo bench train install build seed clean image-bundles image-runtime

help: ## 列出命令 · list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(INSTALLED) ## 建虚拟环境并安装 · make a virtual environment and install
build: $(BUNDLES) ## 取得基础编码器并构建模型包 · obtain the base encoder and build the bundles

# The pin first, so that nothing that depends on torch pulls another build of it. pip compiles modules: where a test
# did, the warnings of old ones would be errors. Our own are compiled as well: where Python writes no bytecode
# (PYTHONDONTWRITEBYTECODE) each start would do it again.
$(INSTALLED): pyproject.toml $(wildcard nlp_service/inference/kernel/*.[ch])
	@echo "→ 建立虚拟环境并安装(首次约 2 分钟) · virtual environment and packages, about 2 minutes the first time"
	@$(MAKE_VENV)
	@$(BIN)/pip install --progress-bar on "torch==$$(sed -n 's/.*"torch==\(.*\)".*/\1/p' pyproject.toml)"
	@$(BIN)/pip install --progress-bar on -e '.[training,dev]'
	@$(BIN)/python -m compileall -q nlp_service
	@touch $@

$(BUNDLES): $(INSTALLED) $(MODELS)
	@echo "→ 构建模型包(首次约 3 分钟) · runtime bundles, about 3 minutes the first time"
	@$(BIN)/nlp-service models build
	@touch $@

seed: $(BUNDLES)
	@test -f var/.seeded -a -f var/nlp.db || { $(BIN)/nlp-service kb import data/knowledge --only-if-empty && touch var/.seeded; }

serve: seed ## 安装、构建、载入示例知识并启动 · install, build, seed and start on 127.0.0.1:8000
	@exec $(BIN)/nlp-service serve

test: $(BUNDLES) ## 全部测试 · all tests
	@$(BIN)/pytest

lint: $(INSTALLED) ## ruff 与 mypy · ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy nlp_service training benchmarks demo tests

demo: seed ## 真实评论与示例反馈 · real reviews and sample feedback
	@$(BIN)/python -m demo

bench: $(BUNDLES) ## 与同类对比速度 · speed beside peers
	@$(BIN)/python -m benchmarks.http_speed

train: $(INSTALLED) ## 重新训练 feedback 编码器(两核约 40 分钟) · retrain, forty minutes on two cores
	@$(BIN)/python -m training run feedback

clean: ## 删除虚拟环境与构建结果(数据库保留) · remove environment and builds, keep the database
	rm -rf $(VENV) var/bundles var/base var/wheels

# The steps of the image, run by the Dockerfile and, in the same words, by tests/e2e/test_image.py.
image-bundles:
	$(MAKE_VENV)
	$(BIN)/pip install --no-cache-dir "torch==$$(sed -n 's/.*"torch==\(.*\)".*/\1/p' pyproject.toml)"
	$(BIN)/pip install --no-cache-dir -e '.[training]'
	$(BIN)/nlp-service models build

image-runtime:
	$(MAKE_VENV)
	$(BIN)/pip install --no-cache-dir '.[fast,import,postgres,tracing]'
	$(BIN)/pip uninstall --yes pip setuptools
