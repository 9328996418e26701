// SPDX-License-Identifier: Apache-2.0
// compile: what files come to, without a daemon. Ages are those of the files, in their order: what stands first is the older.
#include "ctl/compile/compile.hpp"

#include <cstdio>

#include "ctl/compile/dangling.hpp"
#include "ctl/compile/dump.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/manifests.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"
#include "ctl/status/conditions_json.hpp"

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

Result<int> run_compile(const Arguments& arguments) {
    std::vector<std::string> paths = arguments.files;
    paths.insert(paths.end(), arguments.words.begin(), arguments.words.end());
    PST_TRY_ASSIGN(const auto manifests, read_manifests(paths));
    const Parsed parsed = parse(manifests);
    for (const model::Diagnostic& diagnostic : parsed.diagnostics) {
        std::fprintf(stderr, "%s: %s\n", diagnostic.severity == model::Severity::error ? "error" : "warning", diagnostic.text().c_str());
    }
    for (const auto& [key, object] : parsed.store) {
        for (const model::Diagnostic& diagnostic : compile::dangling(*object, parsed.store)) {
            std::fprintf(stderr, "warning: %s\n", diagnostic.text().c_str());
        }
    }
    compile::Options options;
    options.xdp = arguments.datapath != "userspace";
    for (const std::string& address : arguments.addresses) {
        options.node_addresses.push_back(*IpAddress::parse(address));
    }
    const compile::Compiled compiled = compile::compile(parsed.store, options);
    const std::string text = compile::dump(compiled);
    nlohmann::json statuses = nlohmann::json::object();
    nlohmann::json not_good = nlohmann::json::array();
    for (const auto& [key, object_status] : compiled.statuses) {
        const nlohmann::json& shown = statuses[key.text()] = compile::to_json(*object_status, options.controller_name);
        status::add_not_good(not_good, {{"kind", model::kind_name(key.kind)}, {"namespace", key.ns}, {"name", key.name}}, shown);
    }
    if (arguments.output.empty()) {
        std::fputs(text.c_str(), stdout);
        std::fflush(stdout);
        if (!not_good.empty()) {
            std::fprintf(stderr, "not good:\n%s", not_good_table(not_good).c_str());
        }
    } else {
        print_document({{"text", text}, {"statuses", statuses}, {"not_good", not_good}}, arguments.output);
    }
    return parsed.errors || !not_good.empty() ? kNo : kYes;
}

}  // namespace penstock::gwctl
