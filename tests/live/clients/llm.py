"""The official libraries of OpenAI and Anthropic against the LLM router: silent when all is well."""

import sys

import anthropic
import openai

url = sys.argv[1]
chat = openai.OpenAI(base_url=url + "/v1", api_key="router-key", max_retries=0)
ping = [{"role": "user", "content": "ping"}]

assert "fast" in [model.id for model in chat.models.list()]

answer = chat.chat.completions.create(model="fast", messages=ping)
assert answer.choices[0].message.content == "pong", answer
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

pieces, chunks = [], 0
for chunk in chat.chat.completions.create(model="fast", messages=ping, stream=True):
    chunks += 1
    pieces.append(chunk.choices[0].delta.content or "")
assert "".join(pieces) == "pong" and chunks == 3, pieces

usage = None
options = {"include_usage": True}
for chunk in chat.chat.completions.create(
    model="fast", messages=ping, stream=True, stream_options=options
):
    usage = chunk.usage or usage
assert usage.completion_tokens == 20, usage

vectors = chat.embeddings.create(model="embed", input="text", encoding_format="float")
assert vectors.data[0].embedding == [0.25, -0.5, 1.0], vectors

try:
    chat.chat.completions.create(model="nobody", messages=ping)
    raise SystemExit("an unknown model was answered")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error

try:
    openai.OpenAI(base_url=url + "/v1", api_key="wrong", max_retries=0).models.list()
    raise SystemExit("a wrong key was let in")
except openai.AuthenticationError:
    pass

claude = anthropic.Anthropic(base_url=url, api_key="router-key", max_retries=0)
assert "claude-haiku-4-5" in [model.id for model in claude.models.list()]
message = claude.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=ping)
assert message.content[0].text == "pong", message
assert message.usage.output_tokens == 20, message

with claude.messages.stream(model="claude-haiku-4-5", max_tokens=50, messages=ping) as stream:
    assert "".join(stream.text_stream) == "pong"
    assert stream.get_final_message().usage.output_tokens == 20

try:
    claude.messages.create(model="nobody", max_tokens=50, messages=ping)
    raise SystemExit("an unknown model was answered")
except anthropic.NotFoundError:
    pass

# Each library with a model that is only to be had in the other format.
answer = chat.chat.completions.create(model="claude-haiku-4-5", messages=ping)
assert answer.choices[0].message.content == "pong" and answer.usage.completion_tokens == 20, answer
pieces = []
for chunk in chat.chat.completions.create(model="claude-haiku-4-5", messages=ping, stream=True):
    pieces.append(chunk.choices[0].delta.content or "")
assert "".join(pieces) == "pong", pieces

message = claude.messages.create(model="gpt-4.1-mini", max_tokens=50, messages=ping, system="x")
assert message.content[0].text == "pong" and message.usage.output_tokens == 20, message
with claude.messages.stream(model="gpt-4.1-mini", max_tokens=50, messages=ping) as stream:
    assert "".join(stream.text_stream) == "pong"
    assert stream.get_final_message().usage.output_tokens == 20
