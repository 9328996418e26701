// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/documents.hpp"

#include <utility>

#include "ctl/gwctl/manifests.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using model::Value;

Result<Written> written(const Value& object, const std::string& file) {
    Written out{.object = object, .origin = file + ":" + std::to_string(object.line()), .api_version = text_at(object, {"apiVersion"}), .kind = text_at(object, {"kind"}),
                .ns = text_at(object, {"metadata", "namespace"}), .name = text_at(object, {"metadata", "name"})};
    for (const auto& [member, text] : {std::pair("apiVersion", &out.api_version), std::pair("kind", &out.kind), std::pair("metadata.name", &out.name)}) {
        if (text->empty()) {
            return Error{.code = Errc::invalid, .what = out.origin + ": " + member + " is missing"};
        }
    }
    if (const Value* metadata = object.find("metadata"); metadata->find("managedFields") != nullptr) {
        out.object = object.with("metadata", metadata->without("managedFields"));  // of an object that was printed: an API server refuses them
    }
    return out;
}

}  // namespace

Status check_namespace(const Written& written, const std::string& ns) {
    const bool same = ns.empty() || written.ns.empty() || written.ns == ns;
    return same ? success() : Status(Error{.code = Errc::invalid, .what = written.origin + ": its namespace is " + written.ns + ", but -n says " + ns});
}

Result<std::vector<Written>> read_objects(const std::vector<std::string>& paths) {
    PST_TRY_ASSIGN(const auto manifests, read_manifests(paths));
    std::vector<Written> out;
    for (const Manifest& manifest : manifests) {
        for (const model::Document& document : model::parse_documents(manifest.text)) {
            if (!document.faults.empty()) {
                return Error{.code = Errc::invalid, .what = manifest.name + ":" + std::to_string(document.faults.front().line) + ": " + document.faults.front().message};
            }
            const Value* items = text_at(document.value, {"kind"}).ends_with("List") ? document.value.find("items") : nullptr;
            const Value::Array objects = items != nullptr ? items->items() : Value::Array{document.value};
            for (const Value& object : objects) {
                PST_TRY_ASSIGN(Written one, written(object, manifest.name));
                out.push_back(std::move(one));
            }
        }
    }
    if (out.empty()) {
        return Error{.code = Errc::invalid, .what = "there is no object in " + paths.front()};
    }
    return out;
}

}  // namespace penstock::gwctl
