// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder.hpp"

#include <fmt/format.h>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::source;

namespace {

std::string service(const std::string& name, const std::string& port = "80") {
    return fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: {}}}\nspec:\n  ports:\n  - {{name: http, port: {}}}\n", name, port);
}

std::string names(const Given& given) {
    std::string out;
    for (const auto& object : given.objects) {
        out += object->key.name + ":" + std::to_string(std::get<model::Service>(object->body).ports.at(0).port) + " ";
    }
    return out;
}

std::size_t errors(const Given& given) { return given.diagnostics.size(); }

}  // namespace

TEST_CASE("folder source: files in order of name, documents in order of text") {
    const test::TestFolder folder;
    folder.write("b.yaml", service("b1") + "---\n" + service("a2"));
    folder.write("a.yaml", service("z"));
    Folder source(folder.text());
    CHECK(source.refresh());
    CHECK(names(source.given()) == "z:80 b1:80 a2:80 ");
    CHECK(source.given().state == State::ok);
    CHECK_FALSE(source.refresh());
    folder.remove("a.yaml");
    CHECK(source.refresh());
    CHECK(names(source.given()) == "b1:80 a2:80 ");
}

TEST_CASE("folder source: what breaks keeps what it gave last, its neighbours are served as they are now") {
    struct Row {
        const char* name;
        std::string text;   // of the file that held one:80 and two:80
        const char* want;   // with the neighbour
    };
    const Row rows[] = {
        {"a bad field keeps that object only", service("one", "many") + "---\n" + service("two", "81"), "two:81 one:80 other:80 "},
        {"a syntax error keeps the rest of the file", service("one", "81") + "---\nkind: Service\n  metadata: [\n", "one:81 two:80 other:80 "},
        {"nothing readable keeps the whole file", "kind: Service\n  metadata: [\n", "one:80 two:80 other:80 "},
        {"an object that was taken out is gone", service("one", "82"), "one:82 other:80 "},
        {"an empty file gives nothing", "", "other:80 "},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const test::TestFolder folder;
        folder.write("a.yaml", service("one") + "---\n" + service("two"));
        folder.write("b.yaml", service("other"));
        Folder source(folder.text());
        source.refresh();
        folder.replace("a.yaml", row.text);
        CHECK(source.refresh());
        CHECK(names(source.given()) == row.want);
        CHECK((source.given().state == State::ok) == (errors(source.given()) == 0));
        folder.replace("a.yaml", service("one") + "---\n" + service("two"));
        CHECK(source.refresh());
        CHECK(names(source.given()) == "one:80 two:80 other:80 ");
        CHECK(errors(source.given()) == 0);
    }
}

TEST_CASE("folder source: a bad file among good ones is told with file and line") {
    const test::TestFolder folder;
    folder.write("a.yaml", service("good"));
    folder.write("b.yaml", service("bad", "70000"));
    Folder source(folder.text());
    source.refresh();
    CHECK(names(source.given()) == "good:80 ");
    CHECK(source.given().state == State::degraded);
    REQUIRE(errors(source.given()) == 1);
    CHECK(source.given().diagnostics[0].file == "b.yaml");
    CHECK(source.given().diagnostics[0].line == 6);
}

TEST_CASE("folder source: an unreadable file and an unreadable folder keep what they gave") {
    const test::TestFolder folder;
    std::filesystem::create_directory(folder.path() / "m");
    folder.write("m/a.yaml", service("one"));
    Folder source(folder.text() + "/m");
    source.refresh();

    folder.remove("m/a.yaml");
    std::filesystem::create_symlink("nowhere", folder.path() / "m/a.yaml");
    CHECK(source.refresh());
    CHECK(names(source.given()) == "one:80 ");
    CHECK(source.given().state == State::degraded);
    CHECK_FALSE(source.refresh());  // told once

    std::filesystem::rename(folder.path() / "m", folder.path() / "away");
    CHECK(source.refresh());
    CHECK(names(source.given()) == "one:80 ");
    CHECK(source.given().state == State::failed);
    std::filesystem::rename(folder.path() / "away", folder.path() / "m");
    CHECK(source.refresh());
    CHECK(source.given().state == State::degraded);
}

TEST_CASE("folder source: a file with thousands of faults is told in a hundred lines, errors first, and keeps what it gave") {
    const test::TestFolder folder;
    folder.write("a.yaml", service("one"));
    Folder source(folder.text());
    source.refresh();
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        text += "---\napiVersion: v1\nkind: Nothing\n";  // a warning each
    }
    for (int i = 0; i < 2000; ++i) {
        text += "---\na: " + std::to_string(i) + "\n";  // an error each
    }
    folder.replace("a.yaml", text);
    CHECK(source.refresh());
    CHECK(names(source.given()) == "one:80 ");
    CHECK(source.given().state == State::degraded);
    REQUIRE(errors(source.given()) == kDiagnosticsMax + 1);
    CHECK(source.given().diagnostics.front().severity == model::Severity::error);
    CHECK(source.given().diagnostics.back().message == "4900 more are not shown");
}

TEST_CASE("folder source: a folder that is not there yet gives nothing and says so") {
    const test::TestFolder folder;
    Folder source(folder.text() + "/m");
    CHECK(source.refresh());
    CHECK(source.given().objects.empty());
    CHECK(source.given().state == State::failed);
    std::filesystem::create_directory(folder.path() / "m");
    CHECK(source.refresh());
    CHECK(source.given().state == State::ok);
}

TEST_CASE("folder source: a file that is being written is read when it is whole") {
    const test::TestFolder folder;
    folder.write("a.yaml", service("one"));
    Folder source(folder.text());
    source.refresh();
    folder.write("a.yaml", service("half"));
    CHECK_FALSE(source.refresh({"a.yaml"}));
    CHECK(names(source.given()) == "one:80 ");
    CHECK(source.refresh());
    CHECK(names(source.given()) == "half:80 ");
}
