# SPDX-License-Identifier: Apache-2.0
"""Objects with junk in their optional fields: random values that keep to the schemas which an API server itself tells.

What a schema cannot say (rules between fields) the server says when it refuses an object: repaired() takes away, or makes anew, what it names."""
import base64
import random
import re
import string

try:
    from re import _parser as sre
except ImportError:  # before Python 3.11
    import sre_parse as sre

STRINGS = ("", " ", "*", "a", "0", "-1", "\u00e4\u4e2d", "\U0001f600", "\u2028", "\t", "([", "{[", "\"", "%00", "../..", "a" * 300, "true", "null", "1h", "10.0.0.1", "::1", "https://[", "<&>")
# What a word alone would hardly ever be: names that are there, kinds that we know.
FAVOURITES = {
    "kind": ("Gateway", "ListenerSet", "Service", "Secret", "ConfigMap", "HTTPRoute", "Namespace"),
    "group": ("", "gateway.networking.k8s.io", "core"),
    "namespace": ("junk", "lab", "nowhere"),
    "name": ("own", "both", "echo", "beside", "pair", "ca", "pool"),
    "sectionName": ("http", "https", "tcp", "nowhere"),
    "port": (80, 443, 3000),
    "hostname": ("junk.example", "*.junk.example"),
    "appProtocol": ("kubernetes.io/h2c", "kubernetes.io/ws", "http", "https"),
}
CHARACTERS = string.ascii_lowercase + string.digits


def fields(schema, path=""):
    """{path: may be left out} of all that an object may have, "spec.rules[].name"."""
    found = {}
    for name, of in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        found[at] = name not in schema.get("required", ())
        found.update(fields(of, at))
    if isinstance(schema.get("items"), dict):
        found.update(fields(schema["items"], path + "[]"))
    return found


def present(value, path=""):
    """The paths of fields() that a value has."""
    found = set()
    if isinstance(value, dict):
        for name, of in value.items():
            at = f"{path}.{name}" if path else name
            found |= {at} | present(of, at)
    elif isinstance(value, list):
        for item in value:
            found |= present(item, path + "[]")
    return found


class Junk:
    def __init__(self, seed):
        self.random = random.Random(seed)

    # ---- values by their schemas ------------------------------------------------------------------------------------
    def value(self, schema, fill, path="", focus=None):
        """`fill`: how likely it has a field that it need not have. `focus`: a path that it shall have."""
        if schema.get("x-kubernetes-int-or-string"):
            return self.random.choice((self.random.randint(0, 70000), "junk"))
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        made = {"object": self._object, "array": self._array, "string": self._string, "integer": self._integer,
                "number": lambda *_: self.random.choice((0.5, 1, 99)), "boolean": lambda *_: self.random.random() < 0.5}[schema.get("type", "object")]
        return made(schema, fill, path, focus)

    def _object(self, schema, fill, path, focus):
        if "properties" not in schema:
            of = schema.get("additionalProperties")
            if not isinstance(of, dict):
                return {}
            keys = (*schema.get("x-keys", ()), "a", "b.example/c", "junk")
            return {key: self.value(of, fill) for key in self.random.sample(keys, self.random.randint(1, min(3, schema.get("maxProperties", 3))))}
        wanted = lambda at: focus is not None and (focus == at or focus.startswith((at + ".", at + "[")))  # noqa: E731
        chosen, members = {}, schema["properties"]
        forced = {name for name in members if wanted(f"{path}.{name}" if path else name)}
        for name, of in members.items():
            if name in schema.get("required", ()) or name in forced or self.random.random() < fill:
                chosen[name] = self._favourite(name, of, fill) or self.value(of, fill, f"{path}.{name}" if path else name, focus)
        self._agree(members, chosen, forced, fill)
        if {"group", "kind", "port"} <= members.keys() and "sectionName" not in members and chosen.get("kind", "Service") == "Service":
            chosen.setdefault("port", 80)  # a Service is not to be had without
        return chosen

    def _favourite(self, name, schema, fill):
        if name in FAVOURITES and schema.get("type") in ("string", "integer") and "enum" not in schema and fill > 0 and self.random.random() < 0.6:
            return self.random.choice([one for one in FAVOURITES[name] if (schema["type"] == "integer") == isinstance(one, int)] or [None])
        return None

    def _agree(self, members, chosen, forced, fill):
        """Where one field says which of the others there may be (type: URLRewrite, urlRewrite: ...), only that one is."""
        for name, of in members.items():
            names = {value.lower(): value for value in of.get("enum", ()) if isinstance(value, str)}
            others = {member: names[member.lower()] for member in members if member.lower() in names and member != name}
            if not others:
                continue
            for member in others.keys() & forced:
                chosen[name] = others[member]
            kind = chosen.get(name, of.get("default"))
            for member, value in others.items():
                if value != kind:
                    chosen.pop(member, None)
                elif member not in chosen:
                    chosen[member] = self.value(members[member], fill)

    def _array(self, schema, fill, path, focus):
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        scalar = schema["items"].get("type") in ("string", "integer")
        ends = most if scalar and most <= 16 and fill >= 1 and self.random.random() < 0.2 else min(most, 2)
        count = max(least, self.random.randint(1 if fill or focus else 0, max(ends, 1)))
        items, keys = [], schema.get("x-kubernetes-list-map-keys", ())
        for _ in range(count):
            item = self.value(schema["items"], fill, path + "[]", focus)
            same = lambda one: [one.get(key) for key in keys] if keys else one  # noqa: E731
            if schema.get("x-kubernetes-list-type", "atomic") == "atomic" or all(same(one) != same(item) for one in items):
                items.append(item)
        return items

    def _integer(self, schema, *_):
        low, high = schema.get("minimum", -(1 << 31)), schema.get("maximum", (1 << 31) - 1)
        return self.random.choice((low, high, self.random.randint(low, high)))

    def _string(self, schema, *_):
        if schema.get("format") == "byte":
            return base64.b64encode(self.random.randbytes(self.random.randint(0, 40))).decode()
        least, most = schema.get("minLength", 0), schema.get("maxLength", 400)
        for _ in range(40):
            if "pattern" not in schema:
                made = self.random.choice(STRINGS)
            else:
                made = self._like(sre.parse(schema["pattern"]), self.random.choice((2, 6, most)))
            if least <= len(made) <= most:
                return made
        return "a" * max(least, 1)

    def _like(self, pattern, longest):
        """A text that the expression would match."""
        made = ""
        for kind, what in pattern:
            name = str(kind)
            if name == "LITERAL":
                made += chr(what)
            elif name in ("ANY", "NOT_LITERAL"):
                made += self.random.choice(CHARACTERS)
            elif name == "IN":
                made += self._of_set(what)
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                low, high, inner = what
                times = self.random.randint(int(low), min(int(high), int(low) + longest))
                made += "".join(self._like(inner, longest // times) for _ in range(times))
            elif name == "SUBPATTERN":
                made += self._like(what[3], longest)
            elif name == "BRANCH":
                made += self._like(self.random.choice(what[1]), longest)
        return made

    def _of_set(self, members):
        if str(members[0][0]) == "NEGATE":
            return self.random.choice(CHARACTERS)
        kind, what = self.random.choice(members)
        return chr(what) if str(kind) == "LITERAL" else chr(self.random.randint(*what)) if str(kind) == "RANGE" else "a"

    # ---- what a server refused --------------------------------------------------------------------------------------
    def repaired(self, thing, schema, field):
        """Changes what stands at `field` ("spec.rules[0].matches[1].path"), or as near above it as there is something to change."""
        way = [(thing, schema, None)]  # from the outside inwards: a value, its schema, its name or number
        for token in re.findall(r"[^.\[\]]+", field):
            value, of, _ = way[-1]
            if isinstance(value, dict) and token in value:
                way.append((value[token], of.get("properties", {}).get(token, of.get("additionalProperties") or {}), token))
            elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
                way.append((value[int(token)], of.get("items", {}), int(token)))
            else:
                break
        while len(way) > 1:
            (value, of, name), (parent, parent_of, _) = way.pop(), way[-1]
            may_go = [one for one in value if one not in of.get("required", ())] if isinstance(value, dict) else []
            how = self.random.random()
            if how < 0.3 and of.get("type"):
                parent[name] = self.value(of, self.random.choice((0, 0.3)))
            elif may_go and how < 0.8:
                value.pop(self.random.choice(may_go))
            elif isinstance(value, list) and len(value) > max(of.get("minItems", 0), 1):
                del value[1:]
            elif isinstance(parent, list) and len(parent) > max(parent_of.get("minItems", 0), 1):
                parent.pop(name)
            elif isinstance(parent, dict) and name not in parent_of.get("required", ()):
                parent.pop(name)
            else:
                continue
            return
