// SPDX-License-Identifier: Apache-2.0
// gwctl's commands and their options as two tables: what the help prints, what docs/reference/gwctl.md says and what runs all come from
// them. stdout is data, stderr is talk.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/kubeapi/access.hpp"
#include "userspace/base/result.hpp"

namespace CLI {
class App;
}

namespace penstock::gwctl {

// Exit codes.
inline constexpr int kYes = 0;
inline constexpr int kNo = 1;      // it was done or looked up, and something is not good, or not there
inline constexpr int kUsage = 2;   // the command line
inline constexpr int kFailed = 3;  // it could not be done; nothing was changed
inline constexpr int kBug = 70;

struct Arguments {
    std::string state_dir;          // "": nothing was said; see daemon_folder()
    std::string output;             // "", "json", "yaml", "wide", "name"
    std::string ns;                 // "": nothing was said
    bool all_namespaces = false;
    bool watch = false;             // get: goes on
    std::string selector;           // of labels
    std::vector<std::string> words;  // what the command is about
    std::vector<std::string> files;  // -f
    bool replace = false;
    bool force_conflicts = false;   // apply: takes over fields that others have set
    bool ignore_not_found = false;  // delete
    bool all = false;               // delete: whatever there is of the kind in the namespace
    std::string dry_run = "none";   // "none", "server", "client"
    int wait_s = 0;                  // --wait
    std::string datapath = "xdp";         // compile, trace: what to compile for
    std::vector<std::string> addresses;  // compile, trace: the node's; valid
    int interval_s = 1;                   // top: between two looks
    bool ready = false;                   // status: only that
    std::string fail_on = "error";        // analyze: the least finding that counts
    bool kubernetes = false;        // a cluster, whatever else is there
    kubeapi::AccessChoice access;   // which one and as whom
    int request_timeout_ms = 30'000;  // of the API server; 0: none

    [[nodiscard]] std::string daemon_folder() const { return state_dir.empty() ? "/run/penstock" : state_dir; }
    [[nodiscard]] bool is_dry_run() const { return dry_run != "none"; }
    [[nodiscard]] bool wants_cluster() const { return kubernetes || access != kubeapi::AccessChoice(); }
    // -o json or yaml: the whole of it, for programs.
    [[nodiscard]] bool as_document() const { return output == "json" || output == "yaml"; }
};

// Which of the options a command knows, besides those of `nothing`, which all know.
enum class Takes : unsigned {
    nothing = 0,
    namespace_ = 1,
    all_namespaces = 2,
    files = 4,
    changes = 8,
    replace = 16,
    node = 32,
    interval = 64,
    selector = 128,
    cluster = 256,
    columns = 512,      // -o wide and name
    needs_files = 1024,  // unless there are words
    fail_on = 2048,
    conflicts = 4096,
    not_found = 8192,
    files_for_words = 16384,  // -f stands for all of the words
    narrows = 32768,    // -n: all namespaces if it is not said
    places = 65536,     // -n: of a cluster alone
    ready = 131072,
    watch = 262144,
    all = 524288,       // --all stands for names
};
constexpr Takes operator|(Takes a, Takes b) { return static_cast<Takes>(static_cast<unsigned>(a) | static_cast<unsigned>(b)); }
constexpr bool has(Takes all, Takes one) { return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) == static_cast<unsigned>(one); }

struct Option {
    Takes takes;
    std::string_view flags;  // "-n,--namespace", as CLI11 reads them
    std::string_view value;  // what stands for its value in help; "" for a flag
    std::string_view help;
    void (*add)(CLI::App&, const Option&, Arguments&);
};

struct Command {
    std::string_view name;
    std::string_view words;  // "KIND[,KIND...] [NAME]"; a first word that begins with KIND is one
    std::size_t words_min;
    std::size_t words_max;
    bool changes_state;
    Takes takes;
    std::string_view help;   // one sentence
    std::string_view example;
    // The exit code; an error is printed by main. `words` and `files` were checked.
    Result<int> (*run)(const Arguments&);
};

const std::vector<Option>& options();
const std::vector<Command>& commands();
// docs/reference/gwctl.md
std::string reference();

// What the tables demand of words and files, before anything is done. An error is a matter of usage.
Status check(const Command& command, const Arguments& arguments);

Result<int> run_get(const Arguments& arguments);
Result<int> run_describe(const Arguments& arguments);
Result<int> run_analyze(const Arguments& arguments);
Result<int> run_compile(const Arguments& arguments);
Result<int> run_top(const Arguments& arguments);
Result<int> run_trace(const Arguments& arguments);
Result<int> run_status(const Arguments& arguments);
Result<int> run_version(const Arguments& arguments);
Result<int> run_load(const Arguments& arguments);
Result<int> run_apply(const Arguments& arguments);
Result<int> run_delete(const Arguments& arguments);

}  // namespace penstock::gwctl
