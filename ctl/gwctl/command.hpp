// SPDX-License-Identifier: Apache-2.0
// gwctl's commands as one table: what the help prints, what docs/reference/gwctl.md says and what runs all come from it.
// stdout is data, stderr is talk. Exit codes: 0 yes, 1 the answer is no, 2 usage, 3 failed, 70 our bug.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/gwctl/client.hpp"

namespace penstock::gwctl {

inline constexpr int kYes = 0;
inline constexpr int kNo = 1;
inline constexpr int kUsage = 2;
inline constexpr int kFailed = 3;

struct Arguments {
    std::string state_dir = "/run/penstock";
    std::string output;             // "", "json", "yaml"
    std::string ns = "default";
    bool all_namespaces = false;
    std::vector<std::string> words;  // what the command is about
    std::vector<std::string> files;  // -f
    bool replace = false;
    bool dry_run = false;
    int wait_s = 0;                  // --wait
    std::string datapath = "xdp";    // compile: what to compile for
};

// Which of the options a command knows, besides --state-dir and -o.
enum class Takes : unsigned { nothing = 0, words = 1, namespaces = 2, files = 4, changes = 8, datapath = 16 };
constexpr Takes operator|(Takes a, Takes b) { return static_cast<Takes>(static_cast<unsigned>(a) | static_cast<unsigned>(b)); }
constexpr bool has(Takes all, Takes one) { return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0; }

struct Command {
    std::string_view name;
    std::string_view words;    // "KIND[,KIND...] [NAME]"
    bool changes_state;
    Takes takes;
    std::string_view help;     // one sentence
    std::string_view example;
    // The exit code; an error is printed by main.
    Result<int> (*run)(const Arguments&);
};

const std::vector<Command>& commands();
// docs/reference/gwctl.md
std::string reference();

Result<int> run_get(const Arguments& arguments);
Result<int> run_describe(const Arguments& arguments);
Result<int> run_compile(const Arguments& arguments);
Result<int> run_status(const Arguments& arguments);
Result<int> run_version(const Arguments& arguments);
Result<int> run_load(const Arguments& arguments);
Result<int> run_delete(const Arguments& arguments);

// ---- what several commands use
struct Manifest {
    std::string name;
    std::string text;
};
// Of files, folders (their *.yaml, *.yml, *.json) and "-" for standard input.
Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths);

// As JSON or YAML to stdout.
void print_document(const nlohmann::json& document, const std::string& format);
std::string age_of(const std::string& rfc3339);
// Conditions that are not good, as a table; "" if there are none.
std::string not_good_table(const nlohmann::json& list);
void print_diagnostics(const nlohmann::json& list);  // to stderr

}  // namespace penstock::gwctl
