// SPDX-License-Identifier: Apache-2.0
// compile: what files come to, without a daemon. Ages are those of the files, in their order: what stands first is the older.
#include "ctl/compile/compile.hpp"

#include <cstdio>

#include "ctl/compile/dump.hpp"
#include "ctl/gwctl/command.hpp"
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

Result<int> run_compile(const Arguments& arguments) {
    std::vector<std::string> paths = arguments.files;
    paths.insert(paths.end(), arguments.words.begin(), arguments.words.end());
    if (paths.empty()) {
        return Error{.code = Errc::invalid, .what = "compile needs files", .hint = "gwctl compile -f configs/quickstart.yaml"};
    }
    PST_TRY_ASSIGN(const auto manifests, read_manifests(paths));
    const Parsed parsed = parse(manifests);
    for (const model::Diagnostic& diagnostic : parsed.diagnostics) {
        std::fprintf(stderr, "%s: %s\n", diagnostic.severity == model::Severity::error ? "error" : "warning", diagnostic.text().c_str());
    }
    compile::Options options;
    options.xdp = arguments.datapath != "userspace";
    const compile::Compiled compiled = compile::compile(parsed.store, options);
    const std::string text = compile::dump(compiled);
    if (arguments.output.empty()) {
        std::fputs(text.c_str(), stdout);
    } else {
        nlohmann::json conditions = nlohmann::json::object();
        for (const auto& [key, status] : compiled.statuses) {
            conditions[key.text()] = compile::to_json(*status, options.controller_name);
        }
        print_document({{"text", text}, {"statuses", conditions}}, arguments.output);
    }
    return parsed.errors ? kNo : kYes;
}

}  // namespace penstock::gwctl
