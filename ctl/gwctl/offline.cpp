// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/offline.hpp"

#include <cstdio>

#include "ctl/compile/dangling.hpp"
#include "ctl/gwctl/manifests.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"

namespace penstock::gwctl {

namespace {

struct Parsed {
    model::Store store;
    std::vector<model::Diagnostic> diagnostics;
    bool errors = false;
};

Parsed parse(const std::vector<Manifest>& manifests) {
    Parsed parsed;
    std::int64_t order = 0;
    for (const Manifest& manifest : manifests) {
        model::ParseResult result = model::parse_manifests(manifest.text, manifest.name);
        parsed.errors |= result.has_errors();
        parsed.diagnostics.insert(parsed.diagnostics.end(), result.diagnostics.begin(), result.diagnostics.end());
        for (const model::ObjectPtr& object : result.objects) {
            auto copy = std::make_shared<model::Object>(*object);
            ++order;
            copy->meta.generation = copy->meta.generation != 0 ? copy->meta.generation : 1;
            copy->meta.creation_s = copy->meta.creation_s != 0 ? copy->meta.creation_s : order;
            parsed.store.put(std::move(copy));
        }
    }
    return parsed;
}

}  // namespace

Result<Offline> read_offline(const std::vector<std::string>& paths, const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto manifests, read_manifests(paths));
    Parsed parsed = parse(manifests);
    for (const model::Diagnostic& diagnostic : parsed.diagnostics) {
        std::fprintf(stderr, "%s: %s\n", diagnostic.severity == model::Severity::error ? "error" : "warning", diagnostic.text().c_str());
    }
    Offline offline;
    offline.store = std::move(parsed.store);
    offline.errors = parsed.errors;
    offline.options.xdp = arguments.datapath != "userspace";
    for (const std::string& address : arguments.addresses) {
        offline.options.node_addresses.push_back(*IpAddress::parse(address));
    }
    offline.compiled = compile::compile(offline.store, offline.options);
    return offline;
}

Result<Offline> compile_files(const std::vector<std::string>& paths, const Arguments& arguments) {
    PST_TRY_ASSIGN(Offline offline, read_offline(paths, arguments));
    for (const auto& [key, object] : offline.store) {
        for (const model::Diagnostic& diagnostic : compile::dangling(*object, offline.store)) {
            std::fprintf(stderr, "warning: %s\n", diagnostic.text().c_str());
        }
    }
    return offline;
}

}  // namespace penstock::gwctl
