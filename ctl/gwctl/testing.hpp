// SPDX-License-Identifier: Apache-2.0
// For tests of gwctl: the program as a user runs it, and a daemon that answers what the test says.
#pragma once

#include <fcntl.h>
#include <httplib.h>
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

// The gwctl that lies beside the test program, with `input` as its standard input, and an environment that leads to no cluster.
inline Ran gwctl(std::vector<std::string> arguments, const std::string& input = "", std::map<std::string, std::string> environment = {}) {
    const Folder folder;
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").replace_filename("gwctl").string();
    arguments.insert(arguments.begin(), program);
    folder.write("in", input);
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<char*> argv;
        for (std::string& argument : arguments) {
            argv.push_back(argument.data());
        }
        argv.push_back(nullptr);
        environment.insert({{"KUBECONFIG", ""}, {"HOME", "/nowhere"}});
        for (const auto& [name, value] : environment) {
            ::setenv(name.c_str(), value.c_str(), 1);
        }
        ::dup2(::open(folder.file("in").c_str(), O_RDONLY), STDIN_FILENO);
        ::dup2(::open(folder.file("out").c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
        ::dup2(::open(folder.file("err").c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
        ::execv(program.c_str(), argv.data());
        ::_exit(127);
    }
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
