// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "ctl/model/object.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::gwctl {

namespace {

// A value: shown with its default where there is one.
template <auto Member>
CLI::Option* add_value(CLI::App& app, const Option& option, Arguments& arguments) {
    CLI::Option* added = app.add_option(std::string(option.flags), arguments.*Member, std::string(option.help));
    added->allow_extra_args(false);  // -f FILE URL: one word, however often the option stands there
    return added->type_name(std::string(option.value));
}

template <auto Member>
void value(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<Member>(app, option, arguments)->capture_default_str();
}

template <bool Arguments::*Member>
void flag(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags), arguments.*Member, std::string(option.help));
}

void one_of_outputs(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::output>(app, option, arguments)->check(CLI::IsMember({"json", "yaml"}).description(""));
}

void one_of_datapaths(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::datapath>(app, option, arguments)->check(CLI::IsMember({"xdp", "userspace"}).description(""))->capture_default_str();
}

void node_addresses(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::addresses>(app, option, arguments)
        ->check(CLI::Validator([](const std::string& text) { return IpAddress::parse(text) ? "" : text + " is not an IP address"; }, ""));
}

// A flag that may have a value: --wait, --wait=3.
void seconds(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags) + "{10}", arguments.wait_s, std::string(option.help))->check(CLI::Range(0, 60).description(""))->type_name(std::string(option.value));
}

void interval(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::interval_s>(app, option, arguments)->check(CLI::Range(1, 60).description(""))->capture_default_str();
}

constexpr std::size_t kMany = 1000;

constexpr Takes kLooks = Takes::namespace_ | Takes::all_namespaces;

std::string shown(const Option& option) {
    std::string flags(option.flags);
    if (const std::size_t comma = flags.find(','); comma != std::string::npos) {
        flags.insert(comma + 1, " ");
    }
    // An optional value carries its own "[=".
    return flags + (option.value.empty() || option.value.starts_with("[") ? "" : " ") + std::string(option.value);
}

std::string described(const Command& command) {
    std::string out = "\n### gwctl " + std::string(command.name) + (command.words.empty() ? "" : " " + std::string(command.words)) + "\n" + std::string(command.help) + "\n\n";
    bool any = false;
    for (const Option& option : options()) {
        if (option.takes != Takes::nothing && has(command.takes, option.takes)) {
            out += "- `" + shown(option) + "`: " + std::string(option.help) + "\n";
            any = true;
        }
    }
    return out + (any ? "\n" : "") + "    " + std::string(command.example) + "\n";
}

Error wrong(const Command& command, std::string what) {
    return Error{.code = Errc::invalid, .what = std::string(command.name) + " " + std::move(what), .hint = std::string(command.example)};
}

}  // namespace

const std::vector<Option>& options() {
    static const std::vector<Option> table = {
        {Takes::nothing, "--state-dir", "DIR", "The daemon's state folder", value<&Arguments::state_dir>},
        {Takes::nothing, "-o,--output", "json|yaml", "Prints that instead of text", one_of_outputs},
        {Takes::namespace_, "-n,--namespace", "NAME", "The namespace to look into (default: default)", value<&Arguments::ns>},
        {Takes::all_namespaces, "-A,--all-namespaces", "", "Looks into all namespaces", flag<&Arguments::all_namespaces>},
        {Takes::files, "-f,--filename", "FILE|DIR|-", "Manifests: a file, a folder's *.yaml, *.yml and *.json, or - for standard input (repeatable)", value<&Arguments::files>},
        {Takes::replace, "--replace", "", "What was loaded before and is not in these files goes", flag<&Arguments::replace>},
        {Takes::changes, "--dry-run", "", "Says what would change, changes nothing", flag<&Arguments::dry_run>},
        {Takes::changes, "--wait", "[=SECONDS]", "Waits until it is served, at most that long (10 if nothing is said, 60 at most)", seconds},
        {Takes::node, "--datapath", "xdp|userspace", "Which data path to compile for (default: xdp)", one_of_datapaths},
        {Takes::interval, "--interval", "SECONDS", "Between two looks (default: 1, at most 60)", interval},
        {Takes::node, "--address", "IP", "An address of the node, for Gateways that name none (repeatable)", node_addresses},
    };
    return table;
}

const std::vector<Command>& commands() {
    static const std::vector<Command> table = {
        {"get", "KIND[,KIND...] [NAME]", 1, 2, false, kLooks, "Lists objects with what their conditions come to.", "gwctl get gateways,httproutes -A", run_get},
        {"describe", "KIND NAME", 2, 2, false, kLooks, "Shows one object: every condition with reason and message, what refers to it, its spec.",
         "gwctl describe httproute shop -n shop", run_describe},
        {"compile", "[FILE|DIR|-...]", 0, kMany, false, Takes::files | Takes::node,
         "Compiles files to tables and conditions, offline: needs no daemon and no privileges.", "gwctl compile -f configs/quickstart.yaml", run_compile},
        {"status", "", 0, 0, false, Takes::nothing, "Shows processes, the data path in use and why, generation, addresses, what was dropped or refused and why.", "gwctl status",
         run_status},
        {"top", "", 0, 0, false, Takes::interval,
         "Shows what happens now: rates, errors and durations by listener, rule and Service. On a terminal it goes on until it is interrupted.", "gwctl top", run_top},
        {"trace", "[METHOD] URL ['NAME: VALUE'...]", 1, kMany, false, Takes::files | Takes::node,
         "Shows where a request goes and why: listener, each match that its path fits, the step of precedence that decided, filters, backends. By the tables that are "
         "served, or with -f by those that the files come to.",
         "gwctl trace POST https://shop.example/cart?page=1 'X-Version: two'", run_trace},
        {"version", "", 0, 0, false, Takes::nothing, "Shows the version of gwctl and of the daemon.", "gwctl version", run_version},
        {"load", "", 0, 0, true, Takes::files | Takes::changes | Takes::replace, "Gives manifests to the daemon, beside its folder; they outlive it.",
         "gwctl load -f manifests/ --wait", run_load},
        {"delete", "KIND NAME", 2, 2, true, Takes::namespace_ | Takes::changes, "Takes an object out of what was loaded.", "gwctl delete httproute shop", run_delete},
    };
    return table;
}

std::string reference() {
    std::string out = "# gwctl\nGenerated from the tables of commands and options (`ctl/gwctl/command.cpp`). stdout is data, stderr is talk.\n\n"
                      "| exit code | means |\n| --- | --- |\n| 0 | yes |\n| 1 | it was done or looked up, and something is not good, or not there |\n"
                      "| 2 | the command line is wrong |\n| 3 | it could not be done; nothing was changed |\n| 70 | a bug of ours |\n\n"
                      "Every command takes:\n\n";
    for (const Option& option : options()) {
        if (option.takes == Takes::nothing) {
            out += "- `" + shown(option) + "`: " + std::string(option.help) + "\n";
        }
    }
    for (const bool changers : {false, true}) {
        out += changers ? "\n## Changers: they alter what is served\n" : "\n## Lookers: they never change anything\n";
        for (const Command& command : commands()) {
            out += command.changes_state == changers ? described(command) : "";
        }
    }
    return out;
}

Status check(const Command& command, const Arguments& arguments) {
    const std::size_t count = arguments.words.size();
    if (count < command.words_min || count > command.words_max) {
        return wrong(command, "takes " + (command.words.empty() ? "no words" : std::string(command.words)));
    }
    if (has(command.takes, Takes::files) && arguments.files.empty() && arguments.words.empty()) {
        return wrong(command, "needs files: -f FILE, DIR or -");
    }
    if (!command.words.starts_with("KIND")) {
        return success();
    }
    const bool many = command.words.starts_with("KIND[,");
    const std::string& words = arguments.words[0];
    for (std::size_t at = 0; at <= words.size();) {
        const std::size_t end = many ? std::min(words.find(',', at), words.size()) : words.size();
        const std::string word = words.substr(at, end - at);
        if (!model::kind_of_word(word)) {
            return Error{.code = Errc::invalid, .what = "there is no kind \"" + word + "\"", .hint = "gateways, httproutes, tlsroutes, services, ..."};
        }
        at = end + 1;
    }
    return success();
}

}  // namespace penstock::gwctl
