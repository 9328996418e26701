// SPDX-License-Identifier: Apache-2.0
// analyze: what is wrong or suspicious in a cluster, in a daemon or in files; or what files would make of a cluster or a daemon.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/scene.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;
using Findings = std::vector<Finding>;

json object_json(const model::ObjectKey& key) { return {{"kind", model::kind_name(key.kind)}, {"namespace", key.ns}, {"name", key.name}}; }

json to_json(const Findings& findings) {
    json list = json::array();
    for (const Finding& one : findings) {
        json entry = {{"code", one.code}, {"weight", name_of(one.weight)}, {"object", object_json(one.object)}, {"path", one.path}, {"message", one.message}, {"hint", one.hint}};
        if (!one.manifest.empty()) {
            entry["manifest"] = one.manifest;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

json to_json(const std::vector<model::ObjectKey>& keys) {
    json list = json::array();
    std::transform(keys.begin(), keys.end(), std::back_inserter(list), object_json);
    return list;
}

void print(const Findings& findings) {
    for (const Finding& one : findings) {
        std::printf("%-7s  %-6s  %s: %s%s%s\n", std::string(name_of(one.weight)).c_str(), std::string(one.code).c_str(), one.object.text().c_str(), one.path.c_str(), one.path.empty() ? "" : ": ",
                    printable(one.message).c_str());
        if (!one.hint.empty()) {
            std::printf("                 %s\n", printable(one.hint).c_str());
        }
    }
    for (const Finding& one : findings) {
        if (!one.manifest.empty()) {
            std::printf("---\n# In place of spec.externalIPs of %s\n%s", one.object.text().c_str(), one.manifest.c_str());
        }
    }
    std::fflush(stdout);
}

std::size_t count(const Findings& findings, Weight weight) {
    return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [&](const Finding& one) { return one.weight == weight; }));
}

std::string counted(std::size_t number, const char* word) { return std::to_string(number) + " " + word + (number == 1 ? "" : "s"); }

std::string summary(const Findings& findings) {
    return counted(count(findings, Weight::error), "error") + ", " + counted(count(findings, Weight::warning), "warning") + ", " + counted(count(findings, Weight::note), "note");
}

int verdict(const Findings& findings, const Arguments& arguments) {
    const Weight most = arguments.fail_on == "note" ? Weight::note : arguments.fail_on == "warning" ? Weight::warning : Weight::error;
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) { return one.weight <= most; }) ? kNo : kYes;
}

int tell(const Scene& scene, const std::string& where, const Arguments& arguments) {
    Findings findings = analyze(scene);
    if (!arguments.ns.empty()) {
        findings.erase(std::remove_if(findings.begin(), findings.end(), [&](const Finding& one) { return one.object.ns != arguments.ns; }), findings.end());
    }
    if (arguments.as_document()) {
        print_document({{"findings", to_json(findings)}}, arguments.output);
    } else {
        print(findings);
        std::fprintf(stderr, "%s in %s\n", summary(findings).c_str(), where.c_str());
    }
    return verdict(findings, arguments);
}

// Those of `these` that `others` do not have.
Findings without(const Findings& these, const Findings& others) {
    Findings out;
    std::copy_if(these.begin(), these.end(), std::back_inserter(out),
                 [&](const Finding& one) { return std::none_of(others.begin(), others.end(), [&](const Finding& other) { return one.same_as(other); }); });
    return out;
}

int tell_plan(const Planned& planned, const std::string& where, const Arguments& arguments) {
    const Findings before = analyze(planned.before);
    const Findings after = analyze(planned.after);
    const Findings introduced = without(after, before);
    const Findings solved = without(before, after);
    if (arguments.as_document()) {
        print_document({{"creates", to_json(planned.created)}, {"replaces", to_json(planned.replaced)}, {"introduced", to_json(introduced)}, {"solved", to_json(solved)},
                        {"unchanged", after.size() - introduced.size()}},
                       arguments.output);
        return verdict(introduced, arguments);
    }
    for (const model::ObjectKey& key : planned.created) {
        std::printf("creates  %s\n", key.text().c_str());
    }
    for (const model::ObjectKey& key : planned.replaced) {
        std::printf("replaces %s\n", key.text().c_str());
    }
    std::printf("%s", solved.empty() ? "" : "\nsolves\n");
    print(solved);
    std::printf("%s", introduced.empty() ? "" : "\nintroduces\n");
    print(introduced);
    std::fprintf(stderr, "would introduce %s; would solve %zu; %zu stay as they are in %s\n", summary(introduced).c_str(), solved.size(), after.size() - introduced.size(), where.c_str());
    return verdict(introduced, arguments);
}

}  // namespace

Result<int> run_analyze(const Arguments& arguments) {
    const auto now = static_cast<std::int64_t>(::time(nullptr));
    std::optional<Offline> files;
    if (!arguments.files.empty()) {
        PST_TRY_ASSIGN(files, read_offline(arguments.files, arguments));
    }
    const bool against_place = arguments.files.empty() || arguments.wants_cluster() || !arguments.state_dir.empty();
    int code = kYes;
    if (!against_place) {
        code = tell(scene_of_files(*files, now), "these files", arguments);
    } else {
        Arguments base = arguments;
        base.files.clear();
        PST_TRY_ASSIGN(const auto place, open_place(base));
        PST_TRY_ASSIGN(Scene scene, scene_of_place(*place, now));
        const std::string ns = arguments.ns.empty() ? place->default_ns().value_or("default") : arguments.ns;
        code = files ? tell_plan(with_files(std::move(scene), *files, ns), place->text(), arguments) : tell(scene, place->text(), arguments);
    }
    return files && files->errors ? kNo : code;
}

}  // namespace penstock::gwctl
