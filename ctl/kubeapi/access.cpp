// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/access.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/base64.hpp"
#include "userspace/base/files.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

using model::Value;

constexpr std::size_t kFileMax = 16U << 20;
constexpr const char* kPodFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

Error bad(std::string what) { return Error{.code = Errc::invalid, .what = std::move(what)}; }

bool flag_at(const Value& of, std::string_view name) {
    const Value* found = of.find(name);
    return found != nullptr && found->as_boolean() != nullptr && *found->as_boolean();
}

std::vector<std::string> texts_of(const Value& of, std::string_view name) {
    std::vector<std::string> out;
    if (const Value* list = of.find(name)) {
        for (const Value& one : list->items()) {
            out.push_back(one.as_string() != nullptr ? *one.as_string() : std::string());
        }
    }
    return out;
}

struct ConfigFile {
    Value content;
    std::string folder;  // where relative names begin
};
using Kubeconfig = std::vector<ConfigFile>;  // one of them, in several files

Result<ConfigFile> parse_file(std::string_view text, std::string folder) {
    auto documents = model::parse_documents(text, {.bytes_max = kFileMax});
    if (documents.empty() || !documents.front().faults.empty() || documents.front().value.type() != Value::Type::object) {
        return bad("not a kubeconfig");  // the fault may quote a secret
    }
    return ConfigFile{std::move(documents.front().value), std::move(folder)};
}

std::string current_context(const Kubeconfig& config) {
    for (const ConfigFile& file : config) {
        if (std::string name = text_at(file.content, {"current-context"}); !name.empty()) {
            return name;
        }
    }
    return {};
}

// The member `what` of the entry `name` in the list `list`: [{"name": ..., "cluster": {...}}].
Result<ConfigFile> entry(const Kubeconfig& config, std::string_view list, std::string_view what, const std::string& name) {
    std::string others;
    for (const ConfigFile& file : config) {
        const Value* entries = file.content.find(list);
        for (const Value& one : entries != nullptr ? entries->items() : Value::Array()) {
            if (const Value* content = one.find(what); content != nullptr && text_at(one, {"name"}) == name) {
                return ConfigFile{*content, file.folder};
            }
            others += (others.empty() ? "" : ", ") + text_at(one, {"name"});
        }
    }
    return Error{.code = Errc::invalid, .what = "the kubeconfig has no " + std::string(what) + " '" + name + "'",
                 .hint = others.empty() ? "" : "it has " + others};
}

std::string file_from(const std::string& folder, const std::string& name) {
    return name.empty() || name.front() == '/' ? name : folder + "/" + name;
}

// Kubeconfigs have each of these as a file's name, or in place as base64 under the name with "-data".
Result<Material> material(const Value& of, const std::string& name, const std::string& folder) {
    Material out{.bytes = {}, .file = file_from(folder, text_at(of, {name}))};
    if (const std::string data = text_at(of, {name + "-data"}); !data.empty()) {
        auto bytes = base64_decoded(data);
        if (!bytes) {
            return bad(name + "-data of the kubeconfig is not base64");
        }
        out = {.bytes = std::move(*bytes), .file = {}};
    }
    return out;
}

// By "./" or "../" relative to the kubeconfig; a bare name is looked for in PATH.
std::string command_from(const std::string& folder, const std::string& name) {
    return name.find('/') == std::string::npos ? name : file_from(folder, name);
}

Result<ExecPlugin> exec_plugin(const Value& exec, const std::string& folder) {
    ExecPlugin plugin{.api_version = text_at(exec, {"apiVersion"}), .command = command_from(folder, text_at(exec, {"command"})), .arguments = {}, .environment = {},
                      .wants_cluster = flag_at(exec, "provideClusterInfo"), .install_hint = text_at(exec, {"installHint"})};
    if (plugin.command.empty()) {
        return bad("the kubeconfig's exec has no command");
    }
    if (text_at(exec, {"interactiveMode"}) == "Always") {
        return bad("the kubeconfig's exec is of interactiveMode Always: nobody is there to be asked");
    }
    plugin.arguments = texts_of(exec, "args");
    if (const Value* environment = exec.find("env")) {
        for (const Value& one : environment->items()) {
            plugin.environment.emplace_back(text_at(one, {"name"}), text_at(one, {"value"}));
        }
    }
    return plugin;
}

Status check_server(Access& access) {
    while (access.server.ends_with('/')) {
        access.server.pop_back();
    }
    if (authority_of(access.server).text.find('@') != std::string_view::npos) {
        return bad("the server's address has a user or a password in it: they belong to the kubeconfig's user");  // and it is shown, in many places
    }
    const bool web = access.server.starts_with("https://") || access.server.starts_with("http://");
    return web ? success() : Status(bad("the server '" + access.server + "' is no http or https address"));
}

Status read_cluster(const Value& cluster, const std::string& folder, Access& access) {
    access.server = text_at(cluster, {"server"});
    PST_TRY(check_server(access));
    access.skip_verify = flag_at(cluster, "insecure-skip-tls-verify");
    access.tls_server_name = text_at(cluster, {"tls-server-name"});
    access.disable_compression = flag_at(cluster, "disable-compression");
    access.proxy_url = text_at(cluster, {"proxy-url"});
    PST_TRY_ASSIGN(access.ca, material(cluster, "certificate-authority", folder));
    if (const Value* extensions = cluster.find("extensions")) {
        for (const Value& one : extensions->items()) {
            if (const Value* extension = one.find("extension"); extension != nullptr && text_at(one, {"name"}) == "client.authentication.k8s.io/exec") {
                access.exec_config = model::to_json_text(*extension);
            }
        }
    }
    return success();
}

// That groups are of somebody, and a certificate has its key.
Status check_identity(const Access& access) {
    if (access.client_certificate.given() != access.client_key.given()) {
        return bad("there is a client certificate or its key, but not both");
    }
    const Acting& as = access.as;
    if (as.user.empty() && !(as.uid.empty() && as.groups.empty() && as.extra.empty())) {
        return Error{.code = Errc::invalid, .what = "it is said how to act as somebody (a UID, groups or extra), but not as whom", .hint = "--as USER"};
    }
    const auto empty = [](const auto& one) { return one.second.empty(); };
    if (std::count(as.groups.begin(), as.groups.end(), "") != 0 || std::any_of(as.extra.begin(), as.extra.end(), empty)) {
        return bad("a group or an extra to act with is empty");  // it could not be sent
    }
    return success();
}

Status read_user(const Value& user, const std::string& folder, Access& access) {
    PST_TRY_ASSIGN(access.client_certificate, material(user, "client-certificate", folder));
    PST_TRY_ASSIGN(access.client_key, material(user, "client-key", folder));
    access.token = {.bytes = text_at(user, {"token"}), .file = file_from(folder, text_at(user, {"tokenFile"}))};
    access.as = {.user = text_at(user, {"as"}), .uid = text_at(user, {"as-uid"}), .groups = texts_of(user, "as-groups"), .extra = {}};
    if (const Value* extra = user.find("as-user-extra")) {
        for (const auto& [name, values] : extra->members()) {
            for (std::string& value : texts_of(*extra, name)) {
                access.as.extra.emplace_back(name, std::move(value));
            }
        }
    }
    access.username = text_at(user, {"username"});
    access.password = text_at(user, {"password"});
    if (const Value* exec = user.find("exec"); exec != nullptr && !exec->is_null()) {
        PST_TRY_ASSIGN(access.exec, exec_plugin(*exec, folder));
    }
    if (user.find("auth-provider") != nullptr) {
        return bad("the kubeconfig's auth-provider is not supported: Kubernetes 1.26 removed it, use exec");
    }
    return success();
}

std::string variable(const char* name) {
    const char* text = std::getenv(name);
    return text != nullptr ? text : "";
}

bool is_there(const std::string& file) { return ::access(file.c_str(), F_OK) == 0; }

// Of a list by colons those that are there; the first one if none is, so that its name is told.
std::vector<std::string> files_of(const std::string& list) {
    std::vector<std::string> found;
    for (std::size_t from = 0; from <= list.size();) {
        const std::size_t end = std::min(list.find(':', from), list.size());
        if (std::string name = list.substr(from, end - from); !name.empty() && is_there(name)) {
            found.push_back(std::move(name));
        }
        from = end + 1;
    }
    return found.empty() ? std::vector<std::string>{list.substr(0, list.find(':'))} : found;
}

Result<Access> access_of(const Kubeconfig& config, const AccessChoice& choice) {
    Access access;
    std::string cluster_name = choice.cluster;
    std::string user_name = choice.user;
    const std::string name = choice.context.empty() ? current_context(config) : choice.context;
    if (name.empty() && cluster_name.empty() && user_name.empty() && !choice.server.empty()) {
        return access;  // the server is all that is asked for
    }
    if (name.empty() && cluster_name.empty()) {
        return Error{.code = Errc::invalid, .what = "the kubeconfig has no current-context", .hint = "name one: --context NAME"};
    }
    if (!name.empty()) {
        PST_TRY_ASSIGN(const ConfigFile chosen, entry(config, "contexts", "context", name));
        const std::string ns = text_at(chosen.content, {"namespace"});
        access.ns = ns.empty() ? access.ns : ns;
        cluster_name = cluster_name.empty() ? text_at(chosen.content, {"cluster"}) : cluster_name;
        user_name = user_name.empty() ? text_at(chosen.content, {"user"}) : user_name;
    }
    PST_TRY_ASSIGN(const ConfigFile cluster, entry(config, "clusters", "cluster", cluster_name));
    PST_TRY(read_cluster(cluster.content, cluster.folder, access));
    if (!user_name.empty()) {
        PST_TRY_ASSIGN(const ConfigFile user, entry(config, "users", "user", user_name));
        PST_TRY(read_user(user.content, user.folder, access));
    }
    return access;
}

Result<Access> access_of_files(const std::vector<std::string>& names, const AccessChoice& choice) {
    Kubeconfig config;
    for (const std::string& name : names) {
        PST_TRY_ASSIGN(const std::string text, read_file(name, kFileMax));
        auto file = parse_file(text, std::filesystem::path(name).parent_path().string());
        if (!file.ok()) {
            return std::move(file).error().in(name);
        }
        config.push_back(std::move(*file));
    }
    auto access = access_of(config, choice);
    return access.ok() ? std::move(access) : Result<Access>(std::move(access).error().in(names.front()));
}

// Where nothing but the choice's server is left to go by: not_found.
Result<Access> configured(const AccessChoice& choice) {
    if (!choice.kubeconfig.empty()) {
        return access_of_files({choice.kubeconfig}, choice);
    }
    if (const auto names = kubeconfigs_of_environment(); !names.empty()) {
        return access_of_files(names, choice);
    }
    const bool named = !choice.context.empty() || !choice.cluster.empty() || !choice.user.empty();
    auto pod = access_of_pod(kPodFolder, variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT"));
    if (pod.ok() && !named) {
        return pod;
    }
    if (const auto home = kubeconfig_of_home()) {
        return access_of_files({*home}, choice);
    }
    return Error{.code = named ? Errc::invalid : Errc::not_found,
                 .what = "there is no kubeconfig: KUBECONFIG is not set, ~/.kube/config is not there, and this is no pod with a service account",
                 .hint = "name one: --kubeconfig FILE, or set KUBECONFIG"};
}

// Who is named goes before all that the kubeconfig says of it, a certificate above all: it would be sent along, and count more.
Status put_user_over(const AccessChoice& choice, Access& access) {
    const bool certificate = !choice.client_certificate.empty() || !choice.client_key.empty();
    if (!choice.token.empty() && !choice.username.empty()) {
        return bad("a token and a user name are given: one of them says who asks");
    }
    if (!certificate && choice.token.empty() && choice.username.empty()) {
        if (!choice.password.empty() && access.username.empty()) {
            return Error{.code = Errc::invalid, .what = "a password is given, but no user name", .hint = "--username NAME"};
        }
        access.password = choice.password.empty() ? access.password : choice.password;
        return success();
    }
    access.exec.reset();
    access.token = {.bytes = choice.token, .file = {}};
    access.username = choice.username;
    access.password = choice.password;
    const auto put = [certificate](Material& into, const std::string& file) {
        if (!certificate || !file.empty()) {
            into = {.bytes = {}, .file = file};
        }
    };
    put(access.client_certificate, choice.client_certificate);
    put(access.client_key, choice.client_key);
    return success();
}

Status put_acting_over(const AccessChoice& choice, Acting& as) {
    as.user = choice.as.empty() ? as.user : choice.as;
    as.uid = choice.as_uid.empty() ? as.uid : choice.as_uid;
    as.groups = choice.as_groups.empty() ? as.groups : choice.as_groups;
    std::vector<std::pair<std::string, std::string>> given;
    for (const std::string& text : choice.as_extra) {
        const std::size_t equals = text.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return bad("'" + text + "' to act with is not NAME=VALUE");
        }
        given.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    // Others of the kubeconfig stay: they may narrow what is allowed.
    std::erase_if(as.extra, [&](const auto& one) { return std::any_of(given.begin(), given.end(), [&](const auto& other) { return other.first == one.first; }); });
    as.extra.insert(as.extra.end(), given.begin(), given.end());
    return success();
}

Status put_over(const AccessChoice& choice, Access& access) {
    if (!choice.server.empty()) {
        access.server = choice.server;
        access.tls_server_name.clear();  // which was the other one's
        PST_TRY(check_server(access));
    }
    if (!choice.certificate_authority.empty()) {
        access.ca = {.bytes = {}, .file = choice.certificate_authority};
        access.skip_verify = false;  // whoever names it wants it to count
    }
    access.skip_verify |= choice.skip_verify;
    access.tls_server_name = choice.tls_server_name.empty() ? access.tls_server_name : choice.tls_server_name;
    access.disable_compression |= choice.disable_compression;
    PST_TRY(put_user_over(choice, access));
    PST_TRY(put_acting_over(choice, access.as));
    return check_identity(access);
}

// Over plain HTTP all on the way could read and use them; kubectl withholds them, too. Whoever asks `kubectl proxy` with his usual
// kubeconfig wants no more.
void withhold_credentials(const AccessChoice& choice, Access& access) {
    const bool has = access.client_certificate.given() || access.token.given() || !access.username.empty() || access.exec;
    const bool wished = choice.server.empty() || !choice.token.empty() || !choice.username.empty() || !choice.client_certificate.empty();
    if (has && wished) {
        log::warn("{} is plain HTTP: it gets no credentials", access.server);
    }
    access.client_certificate = access.client_key = access.token = {};
    access.username.clear();
    access.password.clear();
    access.exec.reset();
}

}  // namespace

std::vector<std::string> kubeconfigs_of_environment() {
    const std::string list = variable("KUBECONFIG");
    return list.empty() ? std::vector<std::string>() : files_of(list);
}

std::optional<std::string> kubeconfig_of_home() {
    std::string file = variable("HOME") + "/.kube/config";
    return is_there(file) ? std::optional<std::string>(std::move(file)) : std::nullopt;
}

Result<Access> access_of_pod(const std::string& folder, const std::string& host, const std::string& port) {
    if (host.empty() || port.empty() || !is_there(folder + "/token")) {
        return Error{.code = Errc::not_found, .what = "this is no pod with a service account",
                     .hint = "name a kubeconfig: --kubeconfig FILE, or set KUBECONFIG"};
    }
    Access access;
    access.server = "https://" + host_of(host) + ":" + port;
    access.ca.file = folder + "/ca.crt";
    access.token.file = folder + "/token";
    if (auto ns = read_file(folder + "/namespace", kFileMax); ns.ok() && !ns->empty()) {
        access.ns = *ns;
    }
    return access;
}

Result<Access> find_access(const AccessChoice& choice) {
    auto access = configured(choice);
    if (!access.ok() && access.error().code == Errc::not_found && !choice.server.empty()) {
        access = Access();
    }
    if (access.ok()) {
        PST_TRY(put_over(choice, *access));
        if (access->server.starts_with("http://")) {
            withhold_credentials(choice, *access);
        }
    }
    return access;
}

}  // namespace penstock::kubeapi
