// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/access.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "ctl/model/formats.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/files.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::kubeapi {

namespace {

using model::Value;

constexpr std::size_t kFileMax = 16U << 20;
constexpr const char* kPodFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

Error bad(std::string what) { return Error{.code = Errc::invalid, .what = std::move(what)}; }

std::string text_at(const Value& of, std::string_view name) {
    const Value* found = of.find(name);
    return found != nullptr && found->as_string() != nullptr ? *found->as_string() : std::string();
}

bool flag_at(const Value& of, std::string_view name) {
    const Value* found = of.find(name);
    return found != nullptr && found->as_boolean() != nullptr && *found->as_boolean();
}

// The member `what` of the entry `name` in the list `list`: [{"name": ..., "cluster": {...}}].
Result<Value> entry(const Value& config, std::string_view list, std::string_view what, const std::string& name) {
    if (const Value* entries = config.find(list)) {
        for (const Value& one : entries->items()) {
            if (const Value* content = one.find(what); content != nullptr && text_at(one, "name") == name) {
                return *content;
            }
        }
    }
    return bad("the kubeconfig has no " + std::string(what) + " '" + name + "'");
}

std::string file_from(const std::string& folder, const std::string& name) {
    return name.empty() || name.front() == '/' ? name : folder + "/" + name;
}

// Kubeconfigs have each of these as a file's name, or in place as base64 under the name with "-data".
Result<Material> material(const Value& of, const std::string& name, const std::string& folder) {
    Material out{.bytes = {}, .file = file_from(folder, text_at(of, name))};
    if (const std::string data = text_at(of, name + "-data"); !data.empty()) {
        auto bytes = model::base64_decoded(data);
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
    ExecPlugin plugin{.api_version = text_at(exec, "apiVersion"), .command = command_from(folder, text_at(exec, "command")), .arguments = {}, .environment = {},
                      .wants_cluster = flag_at(exec, "provideClusterInfo"), .install_hint = text_at(exec, "installHint")};
    if (plugin.command.empty()) {
        return bad("the kubeconfig's exec has no command");
    }
    if (const Value* arguments = exec.find("args")) {
        for (const Value& one : arguments->items()) {
            plugin.arguments.push_back(one.as_string() != nullptr ? *one.as_string() : std::string());
        }
    }
    if (const Value* environment = exec.find("env")) {
        for (const Value& one : environment->items()) {
            plugin.environment.emplace_back(text_at(one, "name"), text_at(one, "value"));
        }
    }
    return plugin;
}

Status read_cluster(const Value& cluster, const std::string& folder, Access& access) {
    access.server = text_at(cluster, "server");
    while (access.server.ends_with('/')) {
        access.server.pop_back();
    }
    if (!access.server.starts_with("https://") && !access.server.starts_with("http://")) {
        return bad("the kubeconfig's server is no http or https address");
    }
    access.skip_verify = flag_at(cluster, "insecure-skip-tls-verify");
    access.tls_server_name = text_at(cluster, "tls-server-name");
    access.proxy_url = text_at(cluster, "proxy-url");
    PST_TRY_ASSIGN(access.ca, material(cluster, "certificate-authority", folder));
    return success();
}

Status read_user(const Value& user, const std::string& folder, Access& access) {
    PST_TRY_ASSIGN(access.client_certificate, material(user, "client-certificate", folder));
    PST_TRY_ASSIGN(access.client_key, material(user, "client-key", folder));
    if (access.client_certificate.given() != access.client_key.given()) {
        return bad("the kubeconfig has a client certificate or its key, but not both");
    }
    access.token = {.bytes = text_at(user, "token"), .file = file_from(folder, text_at(user, "tokenFile"))};
    access.username = text_at(user, "username");
    access.password = text_at(user, "password");
    if (const Value* exec = user.find("exec"); exec != nullptr && !exec->is_null()) {
        PST_TRY_ASSIGN(access.exec, exec_plugin(*exec, folder));
    }
    if (user.find("auth-provider") != nullptr) {
        return bad("the kubeconfig's auth-provider is not supported: Kubernetes 1.26 removed it, use exec");
    }
    return success();
}

Result<Access> access_of_file(const std::string& name, const std::string& context) {
    auto text = read_file(name, kFileMax);
    if (!text.ok()) {
        return std::move(text).error();
    }
    auto access = access_of_kubeconfig(*text, std::filesystem::path(name).parent_path().string(), context);
    return access.ok() ? std::move(access) : Result<Access>(std::move(access).error().in(name));
}

std::string variable(const char* name) {
    const char* text = std::getenv(name);
    return text != nullptr ? text : "";
}

bool is_there(const std::string& file) { return ::access(file.c_str(), F_OK) == 0; }

// $KUBECONFIG is a list. kubectl merges its files; we take the first that is there.
std::string first_of(const std::string& list) {
    std::size_t from = 0;
    while (from <= list.size()) {
        const std::size_t end = std::min(list.find(':', from), list.size());
        if (std::string name = list.substr(from, end - from); !name.empty() && is_there(name)) {
            return name;
        }
        from = end + 1;
    }
    return list;
}

}  // namespace

Result<Access> access_of_kubeconfig(std::string_view text, const std::string& folder, const std::string& context) {
    const auto documents = model::parse_documents(text, {.bytes_max = 16UL << 20U});
    if (documents.empty() || !documents.front().faults.empty() || documents.front().value.type() != Value::Type::object) {
        return bad("not a kubeconfig");  // the fault may quote a secret
    }
    const Value& config = documents.front().value;
    const std::string name = context.empty() ? text_at(config, "current-context") : context;
    if (name.empty()) {
        return Error{.code = Errc::invalid, .what = "the kubeconfig has no current-context", .hint = "name one: --context NAME"};
    }
    PST_TRY_ASSIGN(const Value chosen, entry(config, "contexts", "context", name));
    Access access;
    if (const std::string ns = text_at(chosen, "namespace"); !ns.empty()) {
        access.ns = ns;
    }
    PST_TRY_ASSIGN(const Value cluster, entry(config, "clusters", "cluster", text_at(chosen, "cluster")));
    PST_TRY(read_cluster(cluster, folder, access));
    if (const std::string user_name = text_at(chosen, "user"); !user_name.empty()) {
        PST_TRY_ASSIGN(const Value user, entry(config, "users", "user", user_name));
        PST_TRY(read_user(user, folder, access));
    }
    return access;
}

Result<Access> access_of_pod(const std::string& folder, const std::string& host, const std::string& port) {
    if (host.empty() || port.empty() || !is_there(folder + "/token")) {
        return Error{.code = Errc::not_found, .what = "this is no pod with a service account",
                     .hint = "name a kubeconfig: --kubeconfig FILE, or set KUBECONFIG"};
    }
    Access access;
    const auto ip = IpAddress::parse(host);
    access.server = "https://" + (ip && ip->family == Family::v6 ? "[" + host + "]" : host) + ":" + port;
    access.ca.file = folder + "/ca.crt";
    access.token.file = folder + "/token";
    if (auto ns = read_file(folder + "/namespace", kFileMax); ns.ok() && !ns->empty()) {
        access.ns = *ns;
    }
    return access;
}

Result<Access> find_access(const std::string& kubeconfig, const std::string& context) {
    if (!kubeconfig.empty()) {
        return access_of_file(kubeconfig, context);
    }
    if (const std::string list = variable("KUBECONFIG"); !list.empty()) {
        return access_of_file(first_of(list), context);
    }
    auto pod = access_of_pod(kPodFolder, variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT"));
    if (pod.ok()) {
        return pod;
    }
    const std::string home = variable("HOME") + "/.kube/config";
    return is_there(home) ? access_of_file(home, context) : pod;
}

}  // namespace penstock::kubeapi
