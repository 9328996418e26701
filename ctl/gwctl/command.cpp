// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/named.hpp"
#include "ctl/model/formats.hpp"
#include "ctl/model/object.hpp"
#include "ctl/model/selector.hpp"
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

// The same for what says which cluster and as whom.
template <auto Member>
void access_value(CLI::App& app, const Option& option, Arguments& arguments) {
    CLI::Option* added = app.add_option(std::string(option.flags), arguments.access.*Member, std::string(option.help));
    added->allow_extra_args(false);
    added->type_name(std::string(option.value));
}

template <bool kubeapi::AccessChoice::*Member>
void access_flag(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags), arguments.access.*Member, std::string(option.help));
}

template <bool Arguments::*Member>
void flag(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags), arguments.*Member, std::string(option.help));
}

void one_of_outputs(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::output>(app, option, arguments)->check(CLI::IsMember({"json", "yaml", "wide", "name"}).description(""));
}

void one_of_datapaths(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::datapath>(app, option, arguments)->check(CLI::IsMember({"xdp", "userspace"}).description(""))->capture_default_str();
}

void one_of_weights(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::fail_on>(app, option, arguments)->check(CLI::IsMember({"error", "warning", "note"}).description(""))->capture_default_str();
}

void node_addresses(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::addresses>(app, option, arguments)
        ->check(CLI::Validator([](const std::string& text) { return IpAddress::parse(text) ? "" : text + " is not an IP address"; }, ""));
}

// A flag that may have a value: --wait, --wait=3.
void seconds(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags) + "{10}", arguments.wait_s, std::string(option.help))->check(CLI::Range(0, 60).description(""))->type_name(std::string(option.value));
}

// A flag that may say how: --dry-run, --dry-run=none.
void dry_run(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_flag(std::string(option.flags) + "{server}", arguments.dry_run, std::string(option.help))->check(CLI::IsMember({"client", "server", "none"}).description(""))->type_name(std::string(option.value));
}

// "5s", "1m30s", or seconds.
std::string read_timeout(const std::string& text, int& out) {
    const bool digits = !text.empty() && text.size() < 7 && text.find_first_not_of("0123456789") == std::string::npos;
    const auto ms = digits ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(std::stoul(text)) * 1000U) : model::duration_ms(text);
    if (!ms || *ms > 3'600'000U) {
        return text + " is no time of at most an hour, such as 5s or 1m30s";
    }
    out = static_cast<int>(*ms);
    return "";
}

void request_timeout(CLI::App& app, const Option& option, Arguments& arguments) {
    app.add_option_function<std::string>(std::string(option.flags), [&arguments](const std::string& text) { (void)read_timeout(text, arguments.request_timeout_ms); }, std::string(option.help))
        ->check(CLI::Validator([](const std::string& text) { int ignored = 0; return read_timeout(text, ignored); }, ""))
        ->type_name(std::string(option.value));
}

void interval(CLI::App& app, const Option& option, Arguments& arguments) {
    add_value<&Arguments::interval_s>(app, option, arguments)->check(CLI::Range(1, 60).description(""))->capture_default_str();
}

constexpr std::size_t kMany = 1000;

// Objects, wherever they are.
constexpr Takes kReads = Takes::files | Takes::node | Takes::cluster;
constexpr Takes kLooks = kReads | Takes::namespace_ | Takes::all_namespaces;

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
        {Takes::nothing, "--state-dir", "DIR", "The daemon's state folder (default: /run/penstock)", value<&Arguments::state_dir>},
        {Takes::nothing, "-o,--output", "json|yaml", "Prints that instead of text; get: also wide, for more columns, or name", one_of_outputs},
        {Takes::namespace_, "-n,--namespace", "NAME", "The namespace to look into (default: of a cluster the context's, of a daemon default, of files all)", value<&Arguments::ns>},
        {Takes::narrows, "-n,--namespace", "NAME", "Tells only of this namespace (default: of all); with -f and a place: where objects go that name none", value<&Arguments::ns>},
        {Takes::places, "-n,--namespace", "NAME", "Where objects of a cluster go that name no namespace (default: the context's)", value<&Arguments::ns>},
        {Takes::all_namespaces, "-A,--all-namespaces", "", "Looks into all namespaces", flag<&Arguments::all_namespaces>},
        {Takes::selector, "-l,--selector", "LABELS", "Objects with these labels: a=b, a!=b, a, !a, 'a in (b,c)', several by commas", value<&Arguments::selector>},
        {Takes::watch, "-w,--watch", "", "Of one kind, or one object of it: goes on and prints each again when it changes or goes, until it is interrupted", flag<&Arguments::watch>},
        {Takes::files, "-f,--filename", "FILE|DIR|-", "Manifests: a file, a folder's *.yaml, *.yml and *.json, or - for standard input (repeatable)", value<&Arguments::files>},
        {Takes::replace, "--replace", "", "What was loaded before and is not in these files goes", flag<&Arguments::replace>},
        {Takes::changes, "--dry-run", "[=server|client|none]", "Says what would change, changes nothing; of a cluster the API server says it, or with client only whether the object is there", dry_run},
        {Takes::changes, "--wait", "[=SECONDS]", "Waits until it is served, at most that long (10 if nothing is said, 60 at most)", seconds},
        {Takes::conflicts, "--force-conflicts", "", "Takes over fields of a cluster's objects that others have set", flag<&Arguments::force_conflicts>},
        {Takes::all, "--all", "", "Instead of names: all objects of the kind in the namespace; of a daemon those that were loaded. What is gone meanwhile is no failure", flag<&Arguments::all>},
        {Takes::not_found, "--ignore-not-found", "", "What is not in the cluster is no failure", flag<&Arguments::ignore_not_found>},
        {Takes::node, "--datapath", "xdp|userspace", "Which data path to compile for (default: xdp)", one_of_datapaths},
        {Takes::fail_on, "--fail-on", "error|warning|note", "The least finding by which the answer is no (default: error)", one_of_weights},
        {Takes::ready, "--ready", "", "Says only whether this node serves, for probes: the cluster was read once and a worker serves what came of it, whatever is wrong with routes", flag<&Arguments::ready>},
        {Takes::interval, "--interval", "SECONDS", "Between two looks (default: 1, at most 60)", interval},
        {Takes::node, "--address", "IP", "An address of the node, for Gateways that name none (repeatable)", node_addresses},
        {Takes::cluster, "--request-timeout", "TIME", "How long one request to an API server may take: 5s, 1m; 0: as long as it takes (default: 30s)", request_timeout},
        {Takes::cluster, "--kubernetes", "", "A cluster's API server, by $KUBECONFIG, what a pod has, or ~/.kube/config; each of the next options means it, too", flag<&Arguments::kubernetes>},
        {Takes::cluster, "--kubeconfig", "FILE", "The cluster of this kubeconfig", access_value<&kubeapi::AccessChoice::kubeconfig>},
        {Takes::cluster, "--context", "NAME", "A context of the kubeconfig other than its current one", access_value<&kubeapi::AccessChoice::context>},
        {Takes::cluster, "--cluster", "NAME", "A cluster of the kubeconfig other than the context's", access_value<&kubeapi::AccessChoice::cluster>},
        {Takes::cluster, "--user", "NAME", "A user of the kubeconfig other than the context's", access_value<&kubeapi::AccessChoice::user>},
        {Takes::cluster, "-s,--server", "URL", "The API server's address", access_value<&kubeapi::AccessChoice::server>},
        {Takes::cluster, "--token", "TOKEN", "A bearer token for it", access_value<&kubeapi::AccessChoice::token>},
        {Takes::cluster, "--client-certificate", "FILE", "A client certificate for it, as PEM", access_value<&kubeapi::AccessChoice::client_certificate>},
        {Takes::cluster, "--client-key", "FILE", "And its key", access_value<&kubeapi::AccessChoice::client_key>},
        {Takes::cluster, "--username", "NAME", "A user name for it, by basic authentication", access_value<&kubeapi::AccessChoice::username>},
        {Takes::cluster, "--password", "PASSWORD", "And the password", access_value<&kubeapi::AccessChoice::password>},
        {Takes::cluster, "--certificate-authority", "FILE", "Who vouches for the server's certificate", access_value<&kubeapi::AccessChoice::certificate_authority>},
        {Takes::cluster, "--tls-server-name", "NAME", "The name that the server's certificate has (default: that of its address)", access_value<&kubeapi::AccessChoice::tls_server_name>},
        {Takes::cluster, "--insecure-skip-tls-verify", "", "Whoever answers is taken for the server: not for use", access_flag<&kubeapi::AccessChoice::skip_verify>},
        {Takes::cluster, "--disable-compression", "", "Its answers come uncompressed", access_flag<&kubeapi::AccessChoice::disable_compression>},
        {Takes::cluster, "--as", "USER", "Acts as this user", access_value<&kubeapi::AccessChoice::as>},
        {Takes::cluster, "--as-group", "GROUP", "And of this group (repeatable)", access_value<&kubeapi::AccessChoice::as_groups>},
        {Takes::cluster, "--as-uid", "UID", "And of this UID", access_value<&kubeapi::AccessChoice::as_uid>},
        {Takes::cluster, "--as-user-extra", "NAME=VALUE", "And of whom this is known besides (repeatable)", access_value<&kubeapi::AccessChoice::as_extra>},
    };
    return table;
}

const std::vector<Command>& commands() {
    static const std::vector<Command> table = {
        {"get", "KIND[,KIND...] [NAME...]", 1, kMany, false, kLooks | Takes::selector | Takes::columns | Takes::watch, "Lists objects with what their conditions come to; KIND/NAME names one, too.", "gwctl get gateways,httproutes -A", run_get},
        {"describe", "KIND NAME...", 2, kMany, false, kLooks, "Shows objects: every condition with reason and message, what refers to it, its spec.",
         "gwctl describe httproute shop -n shop", run_describe},
        {"analyze", "", 0, 0, false, kReads | Takes::narrows | Takes::fail_on,
         "Tells what is wrong or suspicious, and what to do about it. With -f in these files alone; with -f and a cluster or state folder that is named, what the files would introduce and solve there.",
         "gwctl analyze --kubernetes", run_analyze},
        {"compile", "[FILE|DIR|-...]", 0, kMany, false, Takes::needs_files | Takes::files | Takes::node,
         "Compiles files to tables and conditions, offline: needs no daemon and no privileges.", "gwctl compile -f configs/quickstart.yaml", run_compile},
        {"status", "", 0, 0, false, Takes::ready, "Shows processes, the data path in use and why, generation, addresses, what was dropped or refused and why.", "gwctl status",
         run_status},
        {"top", "", 0, 0, false, Takes::interval,
         "Shows what happens now: rates, errors and durations by listener, rule and Service. On a terminal it goes on until it is interrupted.", "gwctl top", run_top},
        {"trace", "[METHOD] URL ['NAME: VALUE'...]", 1, kMany, false, Takes::files | Takes::node,
         "Shows where a request goes and why: listener, each match that its path fits, the step of precedence that decided, filters, backends. By the tables that are "
         "served, or with -f by those that the files come to.",
         "gwctl trace POST https://shop.example/cart?page=1 'X-Version: two'", run_trace},
        {"version", "", 0, 0, false, Takes::nothing, "Shows the version of gwctl and of the daemon.", "gwctl version", run_version},
        {"load", "", 0, 0, true, Takes::needs_files | Takes::files | Takes::changes | Takes::replace, "Gives manifests to the daemon, beside its folder; they outlive it.",
         "gwctl load -f manifests/ --wait", run_load},
        {"apply", "", 0, 0, true, Takes::needs_files | Takes::files | Takes::places | Takes::changes | Takes::conflicts | Takes::cluster,
         "Applies manifests: to a cluster server-side, of any kind, as the field manager gwctl; to a daemon as load does.", "gwctl apply -f manifests/ --kubernetes --wait", run_apply},
        {"delete", "KIND NAME...", 2, kMany, true, Takes::files_for_words | Takes::files | Takes::namespace_ | Takes::changes | Takes::all | Takes::not_found | Takes::cluster,
         "Deletes objects, by kind and names, as KIND/NAME, or with -f those of manifests: from a cluster, or out of what was loaded into a daemon.", "gwctl delete httproute shop", run_delete},
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
    out += "\n## What analyze looks for\nSecrets that come without their content, as a daemon shows them, are not opened: of a daemon nothing is said of certificates.\n\n| code | means |\n| --- | --- |\n";
    for (const Check& check : checks()) {
        out += "| " + std::string(check.code) + " | " + std::string(check.means) + " |\n";
    }
    return out;
}

Status check(const Command& command, const Arguments& arguments) {
    const std::size_t count = arguments.words.size();
    const bool by_files = has(command.takes, Takes::files_for_words) && !arguments.files.empty();
    if (by_files && count != 0) {
        return wrong(command, "takes " + std::string(command.words) + " or -f, not both");
    }
    // KIND/NAME is two words in one.
    if (arguments.all && (by_files || count > 1 || (count == 1 && arguments.words[0].find('/') != std::string::npos))) {
        return wrong(command, "takes names, or --all with a kind");
    }
    const bool pairs = command.words.starts_with("KIND") && count != 0 && arguments.words[0].find('/') != std::string::npos;
    if (!by_files && (count + (pairs || (arguments.all && count != 0) ? 1 : 0) < command.words_min || count > command.words_max)) {
        return wrong(command, "takes " + (command.words.empty() ? "no words" : std::string(command.words)));
    }
    if (has(command.takes, Takes::needs_files) && arguments.files.empty() && arguments.words.empty()) {
        return wrong(command, "needs files: -f FILE, DIR or -");
    }
    if (!arguments.output.empty() && !arguments.as_document() && !has(command.takes, Takes::columns)) {
        return wrong(command, "has no -o " + arguments.output + ": json or yaml");
    }
    if (arguments.wants_cluster() && !arguments.state_dir.empty()) {
        return wrong(command, "looks either at a daemon (--state-dir) or at a cluster, not at both");
    }
    if (arguments.all_namespaces && !arguments.ns.empty()) {
        return wrong(command, "takes -n or -A, not both");
    }
    if (arguments.watch && !arguments.files.empty()) {
        return wrong(command, "has no -w of files: a daemon or a cluster can be watched");
    }
    PST_TRY(model::parse_selector(arguments.selector));
    if (!command.words.starts_with("KIND") || by_files) {
        return success();
    }
    PST_TRY_ASSIGN(const auto named, named_by(arguments.words, command.words.starts_with("KIND[,") || arguments.all));
    if (arguments.watch && named.size() != 1) {
        return wrong(command, "-w watches one kind, or one object of it");
    }
    return success();
}

}  // namespace penstock::gwctl
