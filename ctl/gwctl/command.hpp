// SPDX-License-Identifier: Apache-2.0
// gwctl's commands and their options as two tables: what the help prints, what docs/reference/gwctl.md says and what runs all come from
// them. stdout is data, stderr is talk.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

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
    std::string state_dir = "/run/penstock";
    std::string output;             // "", "json", "yaml"
    std::string ns = "default";
    bool all_namespaces = false;
    std::vector<std::string> words;  // what the command is about
    std::vector<std::string> files;  // -f
    bool replace = false;
    bool dry_run = false;
    int wait_s = 0;                  // --wait
    std::string datapath = "xdp";         // compile, trace: what to compile for
    std::vector<std::string> addresses;  // compile, trace: the node's; valid
    int interval_s = 1;                   // top: between two looks
};

// Which of the options a command knows, besides those of `nothing`, which all know.
enum class Takes : unsigned { nothing = 0, namespace_ = 1, all_namespaces = 2, files = 4, changes = 8, replace = 16, node = 32, interval = 64 };
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
Result<int> run_compile(const Arguments& arguments);
Result<int> run_top(const Arguments& arguments);
Result<int> run_trace(const Arguments& arguments);
Result<int> run_status(const Arguments& arguments);
Result<int> run_version(const Arguments& arguments);
Result<int> run_load(const Arguments& arguments);
Result<int> run_delete(const Arguments& arguments);

}  // namespace penstock::gwctl
