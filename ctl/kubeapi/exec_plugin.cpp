// SPDX-License-Identifier: Apache-2.0
// Running an exec plugin: the environment says what we expect, standard output is what it gives, standard error goes to our log's place.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "ctl/kubeapi/credentials.hpp"
#include "userspace/base/base64.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/files.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace penstock::kubeapi {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kLook = std::chrono::milliseconds(50);  // whether to stop
constexpr std::size_t kOutputMax = 1U << 20;

// client.authentication.k8s.io, ExecCredentialSpec: no terminal is there to ask somebody.
std::string exec_info(const ExecPlugin& plugin, const Access& access) {
    nlohmann::json info = {{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
    if (plugin.wants_cluster) {
        info["spec"]["cluster"] = {{"server", access.server}, {"insecure-skip-tls-verify", access.skip_verify}};
        nlohmann::json& cluster = info["spec"]["cluster"];
        const auto add = [&cluster](const char* name, const std::string& text) {
            if (!text.empty()) {
                cluster[name] = text;
            }
        };
        if (access.disable_compression) {
            cluster["disable-compression"] = true;
        }
        add("tls-server-name", access.tls_server_name);
        add("proxy-url", access.proxy_url);
        add("certificate-authority-data", base64_of(access.ca.file.empty() ? access.ca.bytes : read_file(access.ca.file, kOutputMax).value_or("")));
        if (!access.exec_config.empty()) {
            cluster["config"] = nlohmann::json::parse(access.exec_config, nullptr, false);
        }
    }
    return info.dump();
}

std::vector<std::string> environment_of(const ExecPlugin& plugin, const Access& access) {
    std::map<std::string, std::string> by_name;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string text = *one;
        const std::size_t end = std::min(text.find('='), text.size());
        by_name[text.substr(0, end)] = text;
    }
    for (const auto& [name, value] : plugin.environment) {
        by_name[name] = name + "=" + value;
    }
    by_name["KUBERNETES_EXEC_INFO"] = "KUBERNETES_EXEC_INFO=" + exec_info(plugin, access);
    std::vector<std::string> out;
    for (auto& [name, text] : by_name) {
        out.push_back(std::move(text));
    }
    return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}

// How long a plugin may go on.
struct Term {
    const std::stop_token& stop;
    Clock::time_point deadline = Clock::now() + kPatience;

    [[nodiscard]] bool over() const { return stop.stop_requested() || Clock::now() >= deadline; }
};

Error too_long() { return Error{.code = Errc::timeout, .what = "it did not end within half a minute"}; }

// Until the end of its output.
Status read_output(int fd, const Term& term, std::string& output) {
    std::array<char, 4096> piece = {};
    while (true) {
        pollfd waited = {.fd = fd, .events = POLLIN, .revents = 0};
        if (term.over()) {
            return too_long();
        }
        if (::poll(&waited, 1, static_cast<int>(kLook.count())) <= 0) {
            continue;
        }
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sys_error("read its output");
        }
        if (got == 0) {
            return success();
        }
        output.append(piece.data(), static_cast<std::size_t>(got));
        if (output.size() > kOutputMax) {
            return Error{.code = Errc::limit, .what = "it printed more than 1 MiB"};
        }
    }
}

Result<pid_t> start(const ExecPlugin& plugin, const Access& access, int output) {
    std::vector<std::string> words = {plugin.command};
    words.insert(words.end(), plugin.arguments.begin(), plugin.arguments.end());
    std::vector<std::string> variables = environment_of(plugin, access);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_t attributes;  // the daemon blocks signals, its children need not
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);  // its own: what it starts ends with it
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const int failure = ::posix_spawnp(&child, plugin.command.c_str(), &actions, &attributes, pointers(words).data(), pointers(variables).data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return sys_error_of(failure, "start it", plugin.install_hint);
    }
    return child;
}

// Until its end, which may be long after that of its output; nothing if it went on too long, and was ended.
std::optional<int> wait_for(pid_t child, const Term& term) {
    int status = 0;
    for (auto pause = std::chrono::milliseconds(1);; pause = std::min(2 * pause, kLook)) {
        if (const pid_t ended = ::waitpid(child, &status, WNOHANG); ended == child || (ended < 0 && errno != EINTR)) {
            return status;
        }
        if (term.over()) {
            break;
        }
        std::this_thread::sleep_for(pause);
    }
    ::kill(-child, SIGKILL);
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return std::nullopt;
}

Result<ExecCredential> run(const ExecPlugin& plugin, const Access& access, const std::stop_token& stop) {
    std::array<int, 2> ends = {};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return sys_error("open a pipe");
    }
    const Fd reading(ends[0]);
    Fd writing(ends[1]);
    PST_TRY_ASSIGN(const pid_t child, start(plugin, access, writing.get()));
    writing.reset();
    std::string output;
    const Term term{.stop = stop};
    const Status read = read_output(reading.get(), term, output);
    if (!read.ok()) {
        ::kill(-child, SIGKILL);
    }
    const std::optional<int> status = wait_for(child, term);
    PST_TRY(read);
    if (!status) {
        return too_long();
    }
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
        return Error{.code = Errc::invalid, .what = "it failed", .hint = "run it by hand: " + plugin.command};
    }
    return parse_exec_credential(output);
}

}  // namespace

Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const Access& access, const std::stop_token& stop) {
    auto result = run(plugin, access, stop);
    return result.ok() ? std::move(result) : Result<ExecCredential>(std::move(result).error().in("credential plugin " + plugin.command));
}

}  // namespace penstock::kubeapi
