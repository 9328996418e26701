// SPDX-License-Identifier: Apache-2.0
// For tests of gwctl: the program as a user runs it, and a daemon that answers what the test says.
#pragma once

#include <fcntl.h>
#include <httplib.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tools/test/catch.hpp"

namespace penstock::gwctl::testing {

class Folder {
public:
    Folder() {
        char name[] = "/tmp/pst-gwctl-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, std::string_view text) const {
        std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
        std::ofstream(file(name), std::ios::binary) << text;
        return file(name);
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::stringstream text;
        text << std::ifstream(file(name), std::ios::binary).rdbuf();
        return text.str();
    }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct Ran {
    int code = -1;
    std::string out;
    std::string err;
};

// Starts the gwctl that lies beside the test program, in an environment that leads to no cluster; it reads `folder`'s in, if that is
// there, and writes its out and err. Not by fork(): in a program of many threads its child may wait for a lock of theirs for ever.
inline pid_t start_gwctl(std::vector<std::string> arguments, const Folder& folder, std::map<std::string, std::string> environment = {}) {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").replace_filename("gwctl").string();
    arguments.insert(arguments.begin(), program);
    environment.insert({{"KUBECONFIG", ""}, {"HOME", "/nowhere"}});
    std::vector<std::string> variables;
    for (char** one = environ; *one != nullptr; ++one) {
        if (const std::string text = *one; !environment.contains(text.substr(0, text.find('=')))) {
            variables.push_back(text);
        }
    }
    for (const auto& [name, value] : environment) {
        variables.push_back(name + "=" + value);
    }
    const auto pointers = [](std::vector<std::string>& texts) {
        std::vector<char*> all;
        for (std::string& text : texts) {
            all.push_back(text.data());
        }
        all.push_back(nullptr);
        return all;
    };
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    if (std::filesystem::exists(folder.file("in"))) {
        ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, folder.file("in").c_str(), O_RDONLY, 0);
    }
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, folder.file("out").c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, folder.file("err").c_str(), O_WRONLY | O_CREAT, 0600);
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, program.c_str(), &files, nullptr, pointers(arguments).data(), pointers(variables).data());
    ::posix_spawn_file_actions_destroy(&files);
    REQUIRE(failed == 0);
    return child;
}

// As a user runs it, with `input` as its standard input.
inline Ran gwctl(std::vector<std::string> arguments, const std::string& input = "", std::map<std::string, std::string> environment = {}) {
    const Folder folder;
    folder.write("in", input);
    const pid_t child = start_gwctl(std::move(arguments), folder, std::move(environment));
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder.read("out"), folder.read("err")};
}

// Answers at FOLDER/control.sock.
class Daemon {
public:
    using json = nlohmann::json;

    Daemon() {
        answer("/v1/version", {{"version", "0.9"}, {"commit", "abc"}, {"api", {1}}, {"abi", "77"}});
        const auto serve = [this](const httplib::Request& in, httplib::Response& out) {
            const std::lock_guard lock(mutex_);
            requests_.push_back({in.target, in.body.empty() ? json(nullptr) : json::parse(in.body)});
            const auto found = answers_.find(in.path);
            out.status = found == answers_.end() ? 404 : found->second.first;
            out.set_content(found == answers_.end() ? json({{"error", {{"code", "not_found"}, {"message", "no such path"}}}}).dump() : found->second.second, "application/json");
        };
        server_.Get(".*", serve);
        server_.Post(".*", serve);
        server_.set_address_family(AF_UNIX);
        server_.set_keep_alive_timeout(1);
        REQUIRE(server_.bind_to_port(folder.file("control.sock").c_str(), 80));
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) {
            std::this_thread::yield();
        }
    }
    ~Daemon() {
        server_.stop();
        thread_.join();
    }

    void answer(const std::string& path, const json& body, int status = 200) { answer_text(path, body.dump(), status); }
    void answer_text(const std::string& path, const std::string& text, int status = 200) {
        const std::lock_guard lock(mutex_);
        answers_[path] = {status, text};
    }
    Ran run(std::vector<std::string> arguments, const std::string& input = "") const {
        arguments.insert(arguments.begin(), {"--state-dir", folder.path()});
        return gwctl(std::move(arguments), input);
    }
    // Paths with their queries, and bodies, in order.
    std::vector<std::pair<std::string, json>> requests() {
        const std::lock_guard lock(mutex_);
        return std::exchange(requests_, {});
    }

    Folder folder;

private:
    httplib::Server server_;
    std::thread thread_;
    std::mutex mutex_;
    std::map<std::string, std::pair<int, std::string>> answers_;
    std::vector<std::pair<std::string, json>> requests_;
};

}  // namespace penstock::gwctl::testing
