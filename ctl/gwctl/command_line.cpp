// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "userspace/base/version.hpp"

namespace penstock::gwctl {

namespace {

void add_command(CLI::App& app, const Command& command, Arguments& arguments) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.help) + "\n  " + std::string(command.example));
    sub->group(command.changes_state ? "Changers (alter what is served)" : "Lookers (never change anything)");
    if (!command.words.empty()) {
        sub->add_option("words", arguments.words, std::string(command.words))->type_name("");
    }
    for (const Option& option : options()) {
        if (has(command.takes, option.takes)) {
            option.add(*sub, option, arguments);
        }
    }
}

// Whether one of the words of `text` is one of the option's flags, perhaps with its value.
bool names(const std::string& text, const Option& option) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        word.resize(std::min(word.find('='), word.size()));
        if (("," + std::string(option.flags) + ",").find("," + word + ",") != std::string::npos) {
            return true;
        }
    }
    return false;
}

// Who means a cluster and says so to a command that asks a node's daemon alone learns how to ask there.
std::string hint_of(const CLI::App& app, const std::string& wrong) {
    const bool means_cluster = std::any_of(options().begin(), options().end(), [&](const Option& option) { return option.takes == Takes::cluster && names(wrong, option); });
    for (const Command& command : commands()) {
        const std::string name(command.name);
        if (means_cluster && app.got_subcommand(name) && !has(command.takes, Takes::cluster) && !has(command.takes, Takes::files)) {
            return "gwctl " + name + " asks the daemon of a node: in a cluster, kubectl -n penstock exec ds/penstock -- gwctl " + name;
        }
    }
    return "gwctl --help lists the commands, gwctl COMMAND --help their options";
}

Leave usage(const Error& error) { return {.exit_code = kUsage, .text = error.report() + "\n"}; }

}  // namespace

std::variant<Invocation, Leave> parse_command_line(int argc, const char* const* argv) {
    CLI::App app("gwctl looks at and changes what Penstock serves.", "gwctl");
    app.set_version_flag("--version", "gwctl " + build_text(kVersion, kCommit));
    app.require_subcommand(0, 1);
    Arguments arguments;
    bool print_reference = false;
    app.add_flag("--reference", print_reference, "Print docs/reference/gwctl.md")->group("");
    for (const Option& option : options()) {
        if (option.takes == Takes::nothing) {
            option.add(app, option, arguments);  // also before the command's name
        }
    }
    for (const Command& command : commands()) {
        add_command(app, command, arguments);
    }
    // CLI11 speaks in exceptions; they end here.
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Leave{.text = app.help()};
    } catch (const CLI::CallForVersion&) {
        return Leave{.text = app.version() + "\n"};
    } catch (const CLI::ParseError& failure) {
        return usage({.code = Errc::invalid, .what = failure.what(), .hint = hint_of(app, failure.what())});
    }
    if (print_reference) {
        return Leave{.text = reference()};
    }
    for (const Command& command : commands()) {
        if (app.got_subcommand(std::string(command.name))) {
            if (const Status checked = check(command, arguments); !checked.ok()) {
                return usage(checked.error());
            }
            return Invocation{.command = &command, .arguments = std::move(arguments)};
        }
    }
    return Leave{.exit_code = kUsage, .text = app.help()};
}

}  // namespace penstock::gwctl
