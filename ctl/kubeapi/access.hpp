// SPDX-License-Identifier: Apache-2.0
// How to reach a Kubernetes API server and as whom: read from a kubeconfig file, as kubectl has it, or from what a pod is given. Files
// that are named here (token, CA, client certificate) are read again while they are used (credentials.hpp), so that they can be rotated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
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

struct Access {
    std::string server;           // "https://10.0.0.1:6443", without a slash at the end; http is taken, too
    Material ca;                  // none: the system's
    bool skip_verify = false;     // insecure-skip-tls-verify
    std::string tls_server_name;  // "": the server's own
    std::string proxy_url;        // "": none, and the environment's is not asked either
    std::string ns = "default";   // of the context

    // As whom. Several may be given; a token from a file wins over one in place.
    Material client_certificate;
    Material client_key;
    Material token;
    std::string username;
    std::string password;
    std::optional<ExecPlugin> exec;
};

// The context `context` of a kubeconfig; "": the current one. Relative file names are taken from `folder`, where the kubeconfig lies.
Result<Access> access_of_kubeconfig(std::string_view text, const std::string& folder, const std::string& context);

// What a pod has: the service account's folder and the two variables (host and port; "" if they are not set).
Result<Access> access_of_pod(const std::string& folder, const std::string& host, const std::string& port);

// As kubectl looks for it: `kubeconfig` if not "", else $KUBECONFIG (the first of its files that is there), else what a pod has, else
// ~/.kube/config.
Result<Access> find_access(const std::string& kubeconfig, const std::string& context);

}  // namespace penstock::kubeapi
