#!/usr/bin/env bash
# The official Python libraries of OpenAI and Anthropic.
#   bash testbed/llm-python.sh               installs them when missing, prints their interpreter
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
py_need llm "openai==3.57.0" "anthropic==2.14.0"
echo "$NAME python=$TB_CACHE/py/llm/bin/python"
