// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/command_line.hpp"

#include <set>
#include <sstream>

#include "tools/test/catch.hpp"

using namespace penstock::gwctl;

namespace {

std::variant<Invocation, Leave> parse(const std::string& line) {
    std::vector<std::string> words;
    std::istringstream stream(line);
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    std::vector<const char*> argv;
    for (const std::string& word : words) {
        argv.push_back(word.c_str());
    }
    return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

Arguments arguments(const std::string& line) {
    const auto parsed = parse(line);
    INFO(line);
    REQUIRE(std::holds_alternative<Invocation>(parsed));
    return std::get<Invocation>(parsed).arguments;
}

Leave left(const std::string& line) {
    const auto parsed = parse(line);
    INFO(line);
    REQUIRE(std::holds_alternative<Leave>(parsed));
    return std::get<Leave>(parsed);
}

}  // namespace

TEST_CASE("command table: each command has a name of its own, a sentence, and an example that its own options accept") {
    std::set<std::string_view> names;
    for (const Command& command : commands()) {
        INFO(command.name);
        CHECK(names.insert(command.name).second);
        CHECK(command.help.ends_with("."));
        CHECK(command.words_min <= command.words_max);
        CHECK(command.run != nullptr);
        const auto parsed = parse(std::string(command.example));
        REQUIRE(std::holds_alternative<Invocation>(parsed));
        CHECK(std::get<Invocation>(parsed).command == &command);
        // Whatever changes what is served can be tried first.
        CHECK(command.changes_state == has(command.takes, Takes::changes));
    }
}

TEST_CASE("command table: the reference names every command and every option, and help does so, too") {
    const std::string text = reference();
    const std::string help = left("gwctl --help").text;
    for (const Command& command : commands()) {
        INFO(command.name);
        CHECK(text.find("### gwctl " + std::string(command.name)) != std::string::npos);
        CHECK(help.find("  " + std::string(command.name) + " ") != std::string::npos);
        const std::string own = left("gwctl " + std::string(command.name) + " --help").text;
        CHECK(own.find(command.help) != std::string::npos);
        CHECK(own.find(command.example) != std::string::npos);
        for (const Option& option : options()) {
            INFO(option.flags);
            CHECK((own.find(option.help) != std::string::npos) == has(command.takes, option.takes));
        }
    }
    for (const Option& option : options()) {
        INFO(option.flags);
        CHECK(text.find(option.help) != std::string::npos);
    }
    CHECK(left("gwctl --reference").text == text);
}

TEST_CASE("command line: options reach the command, before and after its name") {
    CHECK(arguments("gwctl --state-dir /a status").state_dir == "/a");
    CHECK(arguments("gwctl status --state-dir /b -o json").state_dir == "/b");
    CHECK(arguments("gwctl -o yaml status").output == "yaml");
    const Arguments get = arguments("gwctl get gateways,svc edge -n shop -o json");
    CHECK(get.words == std::vector<std::string>{"gateways,svc", "edge"});
    CHECK(get.ns == "shop");
    CHECK_FALSE(get.all_namespaces);
    CHECK(arguments("gwctl get gtw -A").all_namespaces);
    CHECK(arguments("gwctl get services status").words == std::vector<std::string>{"services", "status"});  // a name like a command's
    CHECK(arguments("gwctl get gtw").ns.empty());
    CHECK(arguments("gwctl get gtw edge --watch").watch);
    CHECK(arguments("gwctl get gtw -Aw").watch);
    CHECK_FALSE(arguments("gwctl get gtw -A").watch);
    CHECK(arguments("gwctl delete httproutes,grpcroutes --all").all);
    CHECK(arguments("gwctl get gtw").daemon_folder() == "/run/penstock");
    const Arguments load = arguments("gwctl load -f a.yaml -f b/ --filename - --replace --dry-run");
    CHECK(load.files == std::vector<std::string>{"a.yaml", "b/", "-"});
    CHECK(load.replace);
    CHECK(load.is_dry_run());
    CHECK_FALSE(arguments("gwctl load -f a --dry-run=none").is_dry_run());
    CHECK(load.wait_s == 0);
    CHECK(arguments("gwctl load -f a --wait").wait_s == 10);
    CHECK(arguments("gwctl load --wait -f a").wait_s == 10);
    CHECK(arguments("gwctl load -f a --wait=3").wait_s == 3);
    const Arguments cluster = arguments("gwctl get gtw --context prod --as jane --as-group a --as-group b --token t -s https://x --request-timeout 1m30s -l a=b -o wide");
    CHECK(cluster.wants_cluster());
    CHECK(cluster.access == penstock::kubeapi::AccessChoice{.context = "prod", .server = "https://x", .token = "t", .as = "jane", .as_groups = {"a", "b"}});
    const Arguments named = arguments("gwctl get gtw --client-certificate c --client-key k --username u --password p --tls-server-name n --disable-compression --as-uid 7 --as-user-extra a=b --as-user-extra c=d");
    CHECK(named.access == penstock::kubeapi::AccessChoice{.username = "u", .password = "p", .client_certificate = "c", .client_key = "k", .tls_server_name = "n", .disable_compression = true, .as_uid = "7",
                                                          .as_extra = {"a=b", "c=d"}});
    CHECK(named.wants_cluster());
    CHECK(cluster.request_timeout_ms == 90'000);
    CHECK(cluster.selector == "a=b");
    CHECK(cluster.output == "wide");
    CHECK(arguments("gwctl get gtw --request-timeout 5").request_timeout_ms == 5000);
    CHECK(arguments("gwctl get gtw --request-timeout=0").request_timeout_ms == 0);
    CHECK(arguments("gwctl get gtw --kubernetes").wants_cluster());
    CHECK_FALSE(arguments("gwctl get gtw --request-timeout 5").wants_cluster());
    CHECK(arguments("gwctl compile a b").words == std::vector<std::string>{"a", "b"});
    CHECK(arguments("gwctl compile a --datapath userspace").datapath == "userspace");
}

TEST_CASE("command line: what is wrong is told as an error with a hint, and exits with 2") {
    struct Row {
        const char* line;
        const char* want;  // within the text
    };
    const Row rows[] = {
        {"gwctl nonsense", "nonsense"},
        {"gwctl get", "get takes KIND[,KIND...] [NAME...]"},
        {"gwctl get gateway/a b", "\"b\" is no KIND/NAME"},
        {"gwctl get gateway/", "\"gateway/\" is no KIND/NAME"},
        {"gwctl get pods", "hint: there are gatewayclasses, gateways, "},
        {"gwctl describe nonsense/a", "there is no kind \"nonsense\""},
        {"gwctl get gateways,nonsense", "there is no kind \"nonsense\""},
        {"gwctl get gateways,", "there is no kind \"\""},
        {"gwctl describe httproute", "describe takes KIND NAME..."},
        {"gwctl describe gateways,services edge", "there is no kind \"gateways,services\""},
        {"gwctl delete httproute", "delete takes KIND NAME..."},
        {"gwctl delete nonsense a", "there is no kind \"nonsense\""},
        {"gwctl load", "load needs files"},
        {"gwctl compile", "compile needs files"},
        {"gwctl status everything", "everything"},
        {"gwctl status -n shop", "-n"},
        {"gwctl analyze -A", "-A"},
        {"gwctl get gateways --wait", "--wait"},
        {"gwctl get gateways -o table", "table"},
        {"gwctl load -f", "filename"},
        {"gwctl load -f a --wait=forever", "forever"},
        {"gwctl load -f a --wait=61", "61"},
        {"gwctl compile a --datapath fast", "fast"},
        {"gwctl compile a --replace", "--replace"},
        {"gwctl compile a --address here", "here is not an IP address"},
        {"gwctl describe gateway a -o wide", "describe has no -o wide"},
        {"gwctl get gateways --request-timeout soon", "soon is no time"},
        {"gwctl get gateways -l =a", "the selector's \"=a\" is none"},
        {"gwctl get gateways -A -n shop", "-n or -A, not both"},
        {"gwctl get gateways --kubernetes --state-dir /a", "either at a daemon"},
        {"gwctl load -f a --dry-run=perhaps", "perhaps"},
        {"gwctl delete", "delete takes KIND NAME..."},
        {"gwctl delete --all", "delete takes KIND NAME..."},
        {"gwctl delete httproute a --all", "takes names, or --all with a kind"},
        {"gwctl delete httproute/a --all", "takes names, or --all with a kind"},
        {"gwctl delete --all -f b", "takes names, or --all with a kind"},
        {"gwctl get httproute --all", "--all"},
        {"gwctl get gateways,services -w", "-w watches one kind"},
        {"gwctl get gateways a b -w", "-w watches one kind"},
        {"gwctl get gateways -w -f a", "has no -w of files"},
        {"gwctl describe gateway a -w", "-w"},
        {"gwctl delete httproute a -f b", "KIND NAME... or -f, not both"},
        {"gwctl apply", "apply needs files"},
        {"gwctl analyze --fail-on never", "never"},
        {"gwctl status --kubernetes", "--kubernetes"},
        {"gwctl status --kubeconfig a", "hint: gwctl status asks the daemon of a node: in a cluster, kubectl -n penstock exec ds/penstock -- gwctl status\n"},
        {"gwctl top -s https://a", "-- gwctl top\n"},
        {"gwctl status -n shop", "hint: gwctl --help"},
    };
    for (const Row& row : rows) {
        INFO(row.line);
        const Leave leave = left(row.line);
        CHECK(leave.exit_code == kUsage);
        CHECK(leave.text.starts_with("error: "));
        CHECK(leave.text.find("\nhint: gwctl ") + leave.text.find("\nhint: there are gatewayclasses, ") + leave.text.find("\nhint: either each word ") + leave.text.find("\nhint: a=b, ") != 4 * std::string::npos);
        CHECK(leave.text.find(row.want) != std::string::npos);
    }
    CHECK(left("gwctl").exit_code == kUsage);
    CHECK(left("gwctl --version").text.starts_with("gwctl "));
    CHECK(left("gwctl --help").exit_code == kYes);
}
