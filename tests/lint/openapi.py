"""Reads docs/openapi.json and holds values against its schemas: the part of JSON Schema 2020-12 that
the file uses, and nothing else; a keyword that is not known is itself a fault.
"""
import re

PLAIN = {"description", "title", "examples", "contentMediaType", "contentSchema", "format"}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[name])


class Api:
    def __init__(self, document, is_strict=False):
        self.document = document
        self.is_strict = is_strict  # what is not documented is a fault

    def resolve(self, ref):
        if not ref.startswith("#/"):
            raise KeyError(ref)
        at = self.document
        for step in ref[2:].split("/"):
            at = at[step]
        return at

    def faults(self, value, schema, where="$"):
        """Sentences that say what is wrong with value; empty when nothing is."""
        while "$ref" in schema:
            schema = self.resolve(schema["$ref"])
        found = []
        for keyword, want in schema.items():
            check = getattr(self, "on_" + keyword.lower(), None)
            if check:
                found += check(value, want, schema, where)
            elif keyword not in PLAIN:
                found.append(f"{where}: the schema says {keyword}, which is not looked at")
        if self.is_strict and "properties" in schema and "additionalProperties" not in schema:
            found += self.on_additionalproperties(value, False, schema, where)
        return found

    def on_type(self, value, want, _schema, where):
        names = want if isinstance(want, list) else [want]
        return [] if any(is_type(value, n) for n in names) else [f"{where} is not {want}: {value!r:.60}"]

    def on_required(self, value, want, _schema, where):
        return [f"{where}.{k} is missing" for k in want if isinstance(value, dict) and k not in value]

    def on_properties(self, value, want, _schema, where):
        if not isinstance(value, dict):
            return []
        return [f for k, s in want.items() if k in value for f in self.faults(value[k], s, f"{where}.{k}")]

    def on_additionalproperties(self, value, want, schema, where):
        known = schema.get("properties", {})
        if want is not False or not isinstance(value, dict):
            return [] if want is False else [f"{where}: additionalProperties can only be false"]
        return [f"{where}.{k} is not documented" for k in value if k not in known]

    def on_items(self, value, want, _schema, where):
        if not isinstance(value, list):
            return []
        return [f for i, v in enumerate(value) for f in self.faults(v, want, f"{where}[{i}]")]

    def on_maxitems(self, value, want, _schema, where):
        return [f"{where} is too long"] if isinstance(value, list) and len(value) > want else []

    def on_minitems(self, value, want, _schema, where):
        return [f"{where} is too short"] if isinstance(value, list) and len(value) < want else []

    def on_enum(self, value, want, _schema, where):
        return [] if value in want else [f"{where} is none of {want}: {value!r:.60}"]

    def on_const(self, value, want, _schema, where):
        return [] if value == want else [f"{where} is not {want!r}"]

    def on_pattern(self, value, want, _schema, where):
        return [f"{where} does not look like {want}"] if isinstance(value, str) and not re.search(
            want, value) else []

    def on_maxlength(self, value, want, _schema, where):
        return [f"{where} is too long"] if isinstance(value, str) and len(value) > want else []

    def on_minimum(self, value, want, _schema, where):
        return [f"{where} is below {want}"] if is_type(value, "number") and value < want else []

    def on_maximum(self, value, want, _schema, where):
        return [f"{where} is above {want}"] if is_type(value, "number") and value > want else []

    def response(self, method, route, status):
        """What the page says about one answer; None when it says nothing."""
        responses = self.document["paths"][route][method]["responses"]
        found = responses.get(str(status)) or responses.get("default")
        while found and "$ref" in found:
            found = self.resolve(found["$ref"])
        return found

    def answer_faults(self, method, route, status, kind, body, payload_of):
        """Hold a real answer against the page. payload_of: text of a JWS to its payload."""
        import json
        said = self.response(method, route, status)
        if said is None:
            return [f"status {status} is not documented"]
        content = said.get("content", {})
        if kind not in content:
            return [f"content type {kind!r} is not documented, but {list(content)}"]
        media = content[kind]
        if kind in ("application/json", "application/problem+json"):
            return self.faults(json.loads(body), media["schema"])
        if "x-jws-payload" in media:
            lines = [line for line in body.split("\n") if line]
            return [f for line in lines for f in self.faults(payload_of(line), media["x-jws-payload"])]
        return []
