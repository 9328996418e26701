// SPDX-License-Identifier: Apache-2.0
// From manifests to objects: all served versions of a kind into one struct, defaults filled in, and what the CRDs' schemas and rules refuse
// refused with file, line and path, as files have no API server in front of them. What a CRD lets pass, passes: unknown protocols, kinds and
// address types are told by conditions. Nothing is dropped in silence: unknown fields and kinds are warnings.
// Invariant: an object comes out whole or not at all; no diagnostic shows a value of a Secret.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/model/object.hpp"
#include "ctl/model/value.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::model {

enum class Severity { error, warning };

struct Diagnostic {
    Severity severity = Severity::error;
    std::string file;
    int line = 0;                          // 0: not known
    std::string kind;                      // of the object; these three are "" if they could not be read
    std::string ns;
    std::string name;
    std::string path;                      // "spec.listeners[1].port"; "" for the whole document
    std::string message;                   // "70000 is not a port"

    // "gateway.yaml:14: spec.listeners[1].port: 70000 is not a port"
    [[nodiscard]] std::string text() const;
};

// Of an object that was read: where it stands and whose it is are filled in.
[[nodiscard]] Diagnostic diagnostic_of(Severity severity, const Object& object, std::string path, std::string message);

struct ParseResult {
    std::vector<ObjectPtr> objects;        // in the order of the text; a second one of the same key is an error and left out
    std::vector<Diagnostic> diagnostics;

    [[nodiscard]] bool has_errors() const;
};

// The kind of an object that is written so, in any version; nothing if it is none of ours: others have a Service, too.
[[nodiscard]] std::optional<Kind> kind_of(std::string_view api_version, std::string_view kind);

// Documents in YAML or JSON; a List stands for its items. Objects of namespaced kinds without a namespace get "default".
[[nodiscard]] ParseResult parse_manifests(std::string_view text, const std::string& file_name, const TextLimits& limits = {});

// One object that is parsed already (an API server's, for instance). Null if it is not valid: `diagnostics` has why.
[[nodiscard]] ObjectPtr decode_object(const Value& value, const std::string& file_name, std::vector<Diagnostic>& diagnostics);

// Without the fields that decoding leaves out, of kinds in which others change those: of a Service in its spec, of an EndpointSlice in its endpoints.
[[nodiscard]] Value without_ignored(Kind kind, const Value& object);

// What was written, as a tree again: metadata behind apiVersion and kind, no status.
[[nodiscard]] Value value_of(const Written& written);

}  // namespace penstock::model
