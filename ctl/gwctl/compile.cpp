// SPDX-License-Identifier: Apache-2.0
// compile: what files come to, as text.
#include <cstdio>

#include "ctl/compile/dump.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/offline.hpp"
#include "ctl/status/conditions_json.hpp"

namespace penstock::gwctl {

Result<int> run_compile(const Arguments& arguments) {
    std::vector<std::string> paths = arguments.files;
    paths.insert(paths.end(), arguments.words.begin(), arguments.words.end());
    PST_TRY_ASSIGN(const Offline offline, compile_files(paths, arguments));
    const compile::Compiled& compiled = offline.compiled;
    const std::string text = compile::dump(compiled);
    nlohmann::json statuses = nlohmann::json::object();
    nlohmann::json not_good = nlohmann::json::array();
    for (const auto& [key, object_status] : compiled.statuses) {
        const nlohmann::json& shown = statuses[key.text()] = compile::to_json(*object_status, offline.options.controller_name);
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
    return offline.errors || !not_good.empty() ? kNo : kYes;
}

}  // namespace penstock::gwctl
