// SPDX-License-Identifier: Apache-2.0
// How to reach a Kubernetes API server and as whom: read from a kubeconfig file, as kubectl has it, or from what a pod is given. Files
// that are named here (token, CA, client certificate) are read again while they are used (credentials.hpp), so that they can be rotated.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::kubeapi {

// Bytes given in place, or a file that has them; both empty: none.
struct Material {
    std::string bytes;
    std::string file;

    [[nodiscard]] bool given() const { return !bytes.empty() || !file.empty(); }
    bool operator==(const Material&) const = default;
};

// A program that prints credentials: client.authentication.k8s.io, ExecCredential.
struct ExecPlugin {
    std::string api_version;
    std::string command;
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;
    bool wants_cluster = false;  // provideClusterInfo
    std::string install_hint;

    bool operator==(const ExecPlugin&) const = default;
};

// Whom to act as, by Impersonate-User and the like.
struct Acting {
    std::string user;  // "": oneself, and then nothing of the rest is given either
    std::string uid;
    std::vector<std::string> groups;
    std::vector<std::pair<std::string, std::string>> extra;  // a name as often as it has values

    bool operator==(const Acting&) const = default;
};

struct Access {
    std::string server;           // "https://10.0.0.1:6443", without a slash at the end; http is taken, too, and gets no credentials
    Material ca;                  // none: the system's
    bool skip_verify = false;     // insecure-skip-tls-verify
    std::string tls_server_name;  // "": the server's own
    bool disable_compression = false;  // of answers, which costs more than it saves where the server is near
    std::string proxy_url;        // "": none, and the environment's is not asked either
    std::string exec_config;      // the cluster's extension for exec plugins, as JSON; "": none
    std::string ns = "default";   // of the context

    // As whom. Several may be given; a token from a file wins over one in place.
    Material client_certificate;
    Material client_key;
    Material token;
    std::string username;
    std::string password;
    std::optional<ExecPlugin> exec;
    Acting as;
};

// What somebody says of it, as kubectl's flags do; "" where nothing is said.
struct AccessChoice {
    std::string kubeconfig;
    std::string context;  // of the kubeconfig, instead of its current one
    std::string cluster;  // of the kubeconfig, instead of the context's
    std::string user;     // likewise
    // These go before what the kubeconfig says.
    std::string server;
    std::string token;
    std::string username;
    std::string password;
    std::string client_certificate;     // a file
    std::string client_key;             // a file
    std::string certificate_authority;  // a file
    bool skip_verify = false;
    std::string tls_server_name;
    bool disable_compression = false;
    std::string as;
    std::string as_uid;
    std::vector<std::string> as_groups;
    std::vector<std::string> as_extra;  // NAME=VALUE

    bool operator==(const AccessChoice&) const = default;
};

// What a pod has: the service account's folder and the two variables (host and port; "" if they are not set).
Result<Access> access_of_pod(const std::string& folder, const std::string& host, const std::string& port);

// The files of $KUBECONFIG; none if it is not set.
std::vector<std::string> kubeconfigs_of_environment();
// ~/.kube/config, if it is there.
std::optional<std::string> kubeconfig_of_home();

// As kubectl looks for it: the kubeconfig of the choice, else $KUBECONFIG (all of its files that are there, as if they were one: what the
// first of them says counts), else what a pod has, else ~/.kube/config. With a server no kubeconfig is needed, nor a current context in
// one. One of plain HTTP gets no credentials.
Result<Access> find_access(const AccessChoice& choice);

}  // namespace penstock::kubeapi
