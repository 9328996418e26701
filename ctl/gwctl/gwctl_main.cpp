// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "ctl/gwctl/command.hpp"
#include "userspace/base/version.hpp"

namespace {

using namespace penstock;
using namespace penstock::gwctl;

void add_options(CLI::App& app, const Command& command, Arguments& arguments) {
    app.add_option("--state-dir", arguments.state_dir, "The daemon's state folder")->capture_default_str()->type_name("DIR");
    app.add_option("-o,--output", arguments.output, "Instead of text")->check(CLI::IsMember({"json", "yaml"}));
    if (has(command.takes, Takes::words)) {
        app.add_option("what", arguments.words, std::string(command.words))->type_name("");
    }
    if (has(command.takes, Takes::namespaces)) {
        app.add_option("-n,--namespace", arguments.ns, "Namespace")->capture_default_str()->type_name("NAME");
        app.add_flag("-A,--all-namespaces", arguments.all_namespaces, "Look into all namespaces");
    }
    if (has(command.takes, Takes::files)) {
        app.add_option("-f,--filename", arguments.files, "File, folder, or - for standard input (repeatable)")->type_name("PATH");
    }
    if (command.name == "compile") {
        app.add_option("files", arguments.words, "The same as -f")->type_name("PATH");
    }
    if (has(command.takes, Takes::changes)) {
        app.add_flag("--dry-run", arguments.dry_run, "Say what would change, change nothing");
        app.add_flag("--wait{10}", arguments.wait_s, "Wait until it is served, at most 10 seconds, or as many as --wait=SECONDS says")->check(CLI::Range(0, 60))->type_name("SECONDS");
    }
    if (command.name == "load") {
        app.add_flag("--replace", arguments.replace, "Take away what was loaded before and is not in these files");
    }
    if (has(command.takes, Takes::datapath)) {
        app.add_option("--datapath", arguments.datapath, "Compile for this data path")->check(CLI::IsMember({"xdp", "userspace"}))->capture_default_str();
    }
}

int run(const Command& command, const Arguments& arguments) {
    auto code = command.run(arguments);
    if (code.ok()) {
        return *code;
    }
    std::fprintf(stderr, "%s\n", code.error().report().c_str());
    return code.error().code == Errc::invalid && arguments.words.empty() && arguments.files.empty() ? kUsage : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"gwctl looks at and changes what Penstock serves."};
    app.set_version_flag("--version", std::string(kVersion));
    app.require_subcommand(0, 1);
    app.fallthrough();
    Arguments arguments;
    // Also before the command's name.
    app.add_option("--state-dir", arguments.state_dir, "The daemon's state folder")->capture_default_str()->type_name("DIR");
    bool print_reference = false;
    app.add_flag("--reference", print_reference, "Print docs/reference/gwctl.md")->group("");
    for (const Command& command : commands()) {
        CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.help) + "\n  " + std::string(command.example));
        sub->group(command.changes_state ? "Changers (alter what is served)" : "Lookers (never change anything)");
        add_options(*sub, command, arguments);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kYes : kUsage;
    }
    if (print_reference) {
        std::fputs(reference().c_str(), stdout);
        return kYes;
    }
    for (const Command& command : commands()) {
        if (app.got_subcommand(std::string(command.name))) {
            return run(command, arguments);
        }
    }
    std::fputs(app.help().c_str(), stdout);
    return kUsage;
}
