// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/control_server.hpp"

#include <httplib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

ApiReply echo(const ApiRequest& request) {
    if (request.path == "/missing") {
        return error_reply(Error{.code = Errc::not_found, .what = "nothing here", .hint = "look elsewhere"});
    }
    std::string body = request.method + " " + request.path + " " + std::to_string(request.peer) + " " + request.body;
    for (const auto& [key, value] : request.query) {
        body += " " + key + "=" + value;
    }
    return {.body = body, .type = "text/plain"};
}

httplib::Client client_of(const std::string& path) {
    httplib::Client client(path);
    client.set_address_family(AF_UNIX);
    return client;
}

}  // namespace

TEST_CASE("control: requests arrive whole, with the peer's process id, and the socket is 0660") {
    const test::TestFolder folder;
    const std::string path = folder.text() + "/control.sock";
    folder.write("control.sock", "left by a dead daemon");
    {
        auto server = ControlServer::start(path, echo);
        REQUIRE(server.ok());
        struct stat st = {};
        REQUIRE(::stat(path.c_str(), &st) == 0);
        CHECK((st.st_mode & 0777) == 0660);

        auto client = client_of(path);
        const auto got = client.Get("/v1/objects?kind=Gateway&kind=Service&name=a%20b");
        REQUIRE(got);
        CHECK(got->body == "GET /v1/objects " + std::to_string(::getpid()) + "  kind=Gateway kind=Service name=a b");
        const auto put = client.Post("/v1/load", "text", "application/json");
        REQUIRE(put);
        CHECK(put->body == "POST /v1/load " + std::to_string(::getpid()) + " text");
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("control: errors have one form, also those of the HTTP library") {
    const test::TestFolder folder;
    const std::string path = folder.text() + "/control.sock";
    auto server = ControlServer::start(path, echo);
    REQUIRE(server.ok());
    auto client = client_of(path);
    const auto missing = client.Get("/missing");
    REQUIRE(missing);
    CHECK(missing->status == 404);
    const auto error = nlohmann::json::parse(missing->body)["error"];
    CHECK(error == nlohmann::json{{"code", "not_found"}, {"message", "nothing here"}, {"caused_by", ""}, {"hint", "look elsewhere"}});
    const auto method = client.Put("/v1/load", "x", "text/plain");
    REQUIRE(method);
    CHECK(method->status >= 400);
    CHECK(nlohmann::json::parse(method->body)["error"]["code"] == "invalid");
}

TEST_CASE("control: a path too long for a socket is refused with a hint") {
    const auto server = ControlServer::start("/tmp/" + std::string(200, 'x'), echo);
    REQUIRE_FALSE(server.ok());
    CHECK(server.error().hint.find("--state-dir") != std::string::npos);
}
