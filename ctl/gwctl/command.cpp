// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/command.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "ctl/gwctl/text_table.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/version.hpp"

namespace penstock::gwctl {

const std::vector<Command>& commands() {
    static const std::vector<Command> table = {
        {"get", "KIND[,KIND...] [NAME]", false, Takes::words | Takes::namespaces, "Lists objects with what their conditions come to.",
         "gwctl get gateways,httproutes -A", run_get},
        {"describe", "KIND NAME", false, Takes::words | Takes::namespaces, "Shows one object: every condition with reason and message, what refers to it, its spec.",
         "gwctl describe httproute shop -n shop", run_describe},
        {"compile", "", false, Takes::files | Takes::datapath, "Compiles files to tables and conditions, offline: needs no daemon and no privileges.",
         "gwctl compile -f configs/quickstart.yaml", run_compile},
        {"status", "", false, Takes::nothing, "Shows processes, the data path in use and why, generation, addresses, what was dropped or refused and why.", "gwctl status", run_status},
        {"version", "", false, Takes::nothing, "Shows the version of gwctl and of the daemon.", "gwctl version", run_version},
        {"load", "", true, Takes::files | Takes::changes, "Gives manifests to the daemon, beside its folder; they outlive it.", "gwctl load -f manifests/ --wait", run_load},
        {"delete", "KIND NAME", true, Takes::words | Takes::namespaces | Takes::changes, "Takes an object out of what was loaded.", "gwctl delete httproute shop", run_delete},
    };
    return table;
}

std::string reference() {
    std::string out = "# gwctl\nGenerated from the command table (`ctl/gwctl/command.cpp`). stdout is data, stderr is talk.\n"
                      "Exit codes: 0 yes, 1 the answer is no (something is not good), 2 usage, 3 failed, 70 a bug of ours.\n\n"
                      "Every command takes `--state-dir DIR` (default `/run/penstock`: the daemon's) and `-o json|yaml`.\n";
    for (const bool changers : {false, true}) {
        out += changers ? "\n## Changers: they alter what is served\n" : "\n## Lookers: they never change anything\n";
        for (const Command& command : commands()) {
            if (command.changes_state != changers) {
                continue;
            }
            out += "\n### gwctl " + std::string(command.name) + (command.words.empty() ? "" : " " + std::string(command.words)) + "\n" + std::string(command.help) + "\n\n";
            if (has(command.takes, Takes::namespaces)) {
                out += "- `-n NAMESPACE`: default `default`; `-A`: all namespaces\n";
            }
            if (has(command.takes, Takes::files)) {
                out += "- `-f FILE|DIR|-`: repeatable; `-` is standard input\n";
            }
            if (has(command.takes, Takes::changes)) {
                out += "- `--dry-run`: says what would change; `--wait[=SECONDS]`: until it is served, at most that long (10 if nothing is said)\n";
            }
            if (command.name == "load") {
                out += "- `--replace`: what was loaded before and is not in these files goes\n";
            }
            if (has(command.takes, Takes::datapath)) {
                out += "- `--datapath xdp|userspace`: which data path to compile for (default `xdp`)\n";
            }
            out += (out.ends_with("\n\n") ? "" : "\n") + std::string("    ") + std::string(command.example) + "\n";
        }
    }
    return out;
}

Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths) {
    namespace fs = std::filesystem;
    std::vector<Manifest> manifests;
    auto read_file = [&](const fs::path& path) -> Status {
        std::ifstream file(path, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        if (!file) {
            return sys_error("read " + path.string());
        }
        manifests.push_back({path.string(), text.str()});
        return success();
    };
    for (const std::string& path : paths) {
        std::error_code error;
        if (path == "-") {
            std::stringstream text;
            text << std::cin.rdbuf();
            manifests.push_back({"stdin", text.str()});
        } else if (fs::is_directory(path, error)) {
            std::vector<fs::path> found;
            for (const auto& entry : fs::directory_iterator(path, error)) {
                const std::string extension = entry.path().extension().string();
                if (entry.is_regular_file(error) && !entry.path().filename().string().starts_with('.') && (extension == ".yaml" || extension == ".yml" || extension == ".json")) {
                    found.push_back(entry.path());
                }
            }
            std::sort(found.begin(), found.end());
            for (const fs::path& file : found) {
                PST_TRY(read_file(file));
            }
        } else {
            PST_TRY(read_file(path));
        }
    }
    return manifests;
}

void print_document(const nlohmann::json& document, const std::string& format) {
    if (format == "json") {
        std::printf("%s\n", document.dump(2).c_str());
    } else {
        std::fputs(model::to_yaml_text(model::from_json(nlohmann::ordered_json::parse(document.dump()))).c_str(), stdout);
    }
}

std::string age_of(const std::string& rfc3339) {
    std::tm parts = {};
    if (::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) {
        return "-";
    }
    const auto seconds = std::max<std::int64_t>(0, ::time(nullptr) - ::timegm(&parts));
    if (seconds < 120) {
        return std::to_string(seconds) + "s";
    }
    if (seconds < 2 * 3600) {
        return std::to_string(seconds / 60) + "m";
    }
    return seconds < 2 * 86400 ? std::to_string(seconds / 3600) + "h" : std::to_string(seconds / 86400) + "d";
}

std::string not_good_table(const nlohmann::json& list) {
    TextTable table({"OBJECT", "WHERE", "CONDITION", "REASON", "MESSAGE"});
    for (const auto& condition : list) {
        const auto& object = condition["object"];
        const std::string ns = object.value("namespace", "");
        table.add({object.value("kind", "") + " " + (ns.empty() ? "" : ns + "/") + object.value("name", ""), condition.value("where", ""),
                   condition.value("type", "") + "=" + condition.value("status", ""), condition.value("reason", ""), condition.value("message", "")});
    }
    return table.empty() ? "" : table.text();
}

void print_diagnostics(const nlohmann::json& list) {
    for (const auto& one : list) {
        const int line = one.value("line", 0);
        const std::string path = one.value("path", "");
        std::fprintf(stderr, "%s: %s%s: %s%s%s\n", one.value("severity", "error").c_str(), one.value("file", "").c_str(), line != 0 ? (":" + std::to_string(line)).c_str() : "",
                     path.c_str(), path.empty() ? "" : ": ", one.value("message", "").c_str());
    }
}

Result<int> run_version(const Arguments& arguments) {
    nlohmann::json versions = {{"gwctl", {{"version", kVersion}, {"commit", kCommit}}}};
    auto daemon = Client(arguments.state_dir).read("/v1/version");
    versions["daemon"] = daemon.ok() ? *daemon : nlohmann::json(nullptr);
    if (!arguments.output.empty()) {
        print_document(versions, arguments.output);
        return kYes;
    }
    std::printf("gwctl      %s (%s)\n", std::string(kVersion).c_str(), std::string(kCommit).c_str());
    if (daemon.ok()) {
        std::printf("penstockd  %s (%s), control API %s, map layout %s\n", daemon->value("version", "?").c_str(), daemon->value("commit", "?").c_str(),
                    daemon->value("api", nlohmann::json::array()).dump().c_str(), daemon->value("abi", "").c_str());
    } else {
        std::fprintf(stderr, "%s\n", daemon.error().report().c_str());
    }
    return kYes;
}

}  // namespace penstock::gwctl
