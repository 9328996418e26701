// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/credentials.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"
#include "userspace/base/files.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using std::chrono::milliseconds;

namespace {

// Until the plugin that runs aside has given it.
bool becomes(Credentials& credentials, const std::string& authorization) {
    for (int i = 0; i < 30'000 && (*credentials.get())->authorization != authorization; ++i) {
        std::this_thread::sleep_for(milliseconds(1));
    }
    return (*credentials.get())->authorization == authorization;
}

}  // namespace

TEST_CASE("credentials: a token file that was rotated is read again, at once after a 401") {
    const test::TestFolder folder;
    folder.write("token", "one\n");
    std::int64_t now = 1000;
    Access access;
    access.token.file = folder.text() + "/token";
    Credentials credentials(access, [&] { return now; });
    CHECK((*credentials.get())->authorization == "Bearer one");
    folder.write("token", "two");
    now += 59;
    CHECK((*credentials.get())->authorization == "Bearer one");
    credentials.refused();
    CHECK((*credentials.get())->authorization == "Bearer two");
    folder.write("token", "three");
    credentials.refused();  // too soon
    CHECK((*credentials.get())->authorization == "Bearer two");
    now += 1;
    credentials.no_tls();
    CHECK((*credentials.get())->authorization == "Bearer three");
    // Cut short by its writer, who comes back.
    folder.write("token", "\n");
    now += 60;
    CHECK((*credentials.get())->authorization == "Bearer three");
    folder.write("token", "four");
    CHECK((*credentials.get())->authorization == "Bearer three");
    now += 1;
    CHECK((*credentials.get())->authorization == "Bearer four");
    folder.write("token", "three");
    now += 60;
    CHECK((*credentials.get())->authorization == "Bearer three");
    folder.remove("token");
    now += 60;
    CHECK((*credentials.get())->authorization == "Bearer three");
    folder.write("token", "a\nb");
    now += 60;
    CHECK((*credentials.get())->authorization == "Bearer three");
}

TEST_CASE("credentials: a client certificate, its key and the authorities that were rotated are read again, and as a whole") {
    const test::TestFolder folder;
    std::int64_t now = 1000;
    Access access;
    access.client_certificate.file = folder.text() + "/tls.crt";
    access.client_key.file = folder.text() + "/tls.key";
    access.ca.file = folder.text() + "/ca.crt";
    const auto rotate = [&](const std::string& to) {
        folder.write("tls.crt", "certificate " + to);
        folder.write("tls.key", "key " + to);
        folder.write("ca.crt", "authorities " + to);
    };
    rotate("one");
    Credentials credentials(access, [&] { return now; });
    const auto has = [&] {
        const auto identity = credentials.get();
        REQUIRE(identity.ok());
        return (*identity)->client_certificate + ", " + (*identity)->client_key + ", " + (*identity)->ca;
    };
    CHECK(has() == "certificate one, key one, authorities one");
    rotate("two");
    now += 59;
    CHECK(has() == "certificate one, key one, authorities one");
    now += 1;
    CHECK(has() == "certificate two, key two, authorities two");
    rotate("three");
    now += 1;
    credentials.no_tls();  // the server does not take the old one any more
    CHECK(has() == "certificate three, key three, authorities three");
    folder.write("tls.crt", "certificate four");
    folder.remove("tls.key");  // between the two writes of who rotates
    now += 60;
    CHECK(has() == "certificate three, key three, authorities three");
    rotate("four");
    now += 1;
    CHECK(has() == "certificate four, key four, authorities four");
}

TEST_CASE("credentials: a file that was never there is an error, and a password is basic") {
    Access access;
    access.token.file = "/nowhere/token";
    Credentials credentials(access, [] { return 1000; });
    CHECK_FALSE(credentials.get().ok());
    const test::TestFolder folder;
    folder.write("token", "");
    access.token.file = folder.text() + "/token";
    CHECK_FALSE(Credentials(access, [] { return 1000; }).get().ok());
    Access basic;
    basic.username = "u";
    basic.password = "p";
    Credentials by_password(basic, [] { return 1000; });
    CHECK((*by_password.get())->authorization == "Basic dTpw");
}

TEST_CASE("credentials: a plugin is run again before what it gave expires, and after a 401, and nobody waits for it") {
    std::int64_t now = 1000;
    std::atomic<int> runs = 0;
    std::atomic<bool> hangs = false;
    Access access;
    access.exec = ExecPlugin{.command = "get-token"};
    Credentials credentials(access, [&] { return now; },
                            [&, begin = now](const ExecPlugin&, const Access&, const std::stop_token& stop) -> Result<ExecCredential> {
                                const int run = ++runs;
                                while (hangs && !stop.stop_requested()) {
                                    std::this_thread::sleep_for(milliseconds(1));
                                }
                                return ExecCredential{.token = "t" + std::to_string(run), .expires_s = begin + 600 * run};
                            });
    CHECK((*credentials.get())->authorization == "Bearer t1");
    now += 569;
    CHECK((*credentials.get())->authorization == "Bearer t1");
    hangs = true;
    now += 1;
    CHECK((*credentials.get())->authorization == "Bearer t1");  // at once
    now += 100;
    CHECK((*credentials.get())->authorization == "Bearer t1");
    hangs = false;
    CHECK(becomes(credentials, "Bearer t2"));
    CHECK(runs == 2);
    credentials.refused();
    CHECK(becomes(credentials, "Bearer t3"));
    credentials.refused();
    CHECK((*credentials.get())->authorization == "Bearer t3");
    CHECK(runs == 3);  // too soon
    now += 10;
    hangs = true;
    credentials.refused();
    CHECK((*credentials.get())->authorization == "Bearer t3");  // and one that hangs does not keep us from ending
}

TEST_CASE("credentials: a plugin whose credentials are over when they come is not run for each request") {
    std::int64_t now = 1000;
    std::atomic<int> runs = 0;
    Access access;
    access.exec = ExecPlugin{.command = "get-token"};
    Credentials credentials(access, [&] { return now; },
                            [&](const ExecPlugin&, const Access&, const std::stop_token&) -> Result<ExecCredential> { return ExecCredential{.token = "t" + std::to_string(++runs), .expires_s = 1}; });
    for (int i = 0; i < 100; ++i) {
        CHECK(credentials.get().ok());
    }
    CHECK(runs == 1);
    now += 10;
    CHECK(becomes(credentials, "Bearer t2"));
    CHECK(runs == 2);
}

TEST_CASE("credentials: a plugin's program is run with what it asks for, and its faults are told") {
    const test::TestFolder folder;
    const std::string program = folder.text() + "/plugin";
    folder.write("plugin", "#!/bin/sh\n[ \"$A\" = b ] && [ \"$1\" = x ] || exit 1\ncase \"$KUBERNETES_EXEC_INFO\" in *'\"interactive\":false'*) ;; *) exit 2 ;; esac\n"
                           "echo '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"abc\",\"expirationTimestamp\":\"2030-01-01T00:00:00Z\"}}'\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    ExecPlugin plugin{.api_version = "client.authentication.k8s.io/v1", .command = program, .arguments = {"x"}, .environment = {{"A", "b"}}};
    const auto good = run_exec_plugin(plugin, Access{}, std::stop_token());
    REQUIRE(good.ok());
    CHECK(good->token == "abc");
    CHECK(good->expires_s == 1893456000);
    folder.write("plugin", "#!/bin/sh\nprintf '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\"}}' \"$(printf '%s' \"$KUBERNETES_EXEC_INFO\" | tr -d '\"{}')\"\n");
    folder.write("ca", "pem");
    plugin.wants_cluster = true;
    Access access;
    access.server = "https://a";
    access.ca.file = folder.text() + "/ca";
    access.proxy_url = "http://p";
    access.exec_config = R"({"audience":"b"})";
    const auto told = run_exec_plugin(plugin, access, std::stop_token());
    REQUIRE(told.ok());
    for (const char* part : {"server:https://a", "certificate-authority-data:cGVt", "proxy-url:http://p", "config:audience:b"}) {
        CHECK(told->token.find(part) != std::string::npos);
    }
    folder.write("plugin", "#!/bin/sh\n[ \"$1\" = x ] || exit 1\n");
    plugin.arguments = {"y"};
    CHECK(run_exec_plugin(plugin, Access{}, std::stop_token()).error().message().find("it failed") != std::string::npos);
    std::stop_source stop;
    stop.request_stop();
    folder.write("plugin", "#!/bin/sh\nexec >&-\nsleep 100\n");  // its output ends, it does not
    CHECK(run_exec_plugin(plugin, Access{}, stop.get_token()).error().code == Errc::timeout);
    // What it has started ends with it.
    folder.write("plugin", "#!/bin/sh\nsleep 100 &\necho $! > " + folder.text() + "/pid.new\nmv " + folder.text() + "/pid.new " + folder.text() + "/pid\nwait\n");
    std::stop_source later;
    std::jthread stopper([&] {
        while (!std::filesystem::exists(folder.text() + "/pid")) {
            std::this_thread::sleep_for(milliseconds(5));
        }
        later.request_stop();
    });
    CHECK(run_exec_plugin(plugin, Access{}, later.get_token()).error().code == Errc::timeout);
    const pid_t started = std::stoi(read_file(folder.text() + "/pid", 64).value_or("0"));
    REQUIRE(started > 1);
    bool ended = false;
    for (int i = 0; i < 1000 && !ended; ++i) {
        std::ifstream stat("/proc/" + std::to_string(started) + "/stat");
        std::string pid, name, state;
        ended = !(stat >> pid >> name >> state) || state == "Z";
        std::this_thread::sleep_for(milliseconds(ended ? 0 : 5));
    }
    CHECK(ended);
    plugin.command = "/nowhere/plugin";
    plugin.install_hint = "install it";
    CHECK(run_exec_plugin(plugin, Access{}, std::stop_token()).error().hint == "install it");
    for (const char* text : {"", "{}", R"({"kind":"ExecCredential"})", R"({"kind":"ExecCredential","status":{}})", R"({"kind":"ExecCredential","status":{"clientCertificateData":"x"}})",
                             R"({"kind":"ExecCredential","status":{"token":"x","expirationTimestamp":"soon"}})"}) {
        CHECK_FALSE(parse_exec_credential(text).ok());
    }
}
