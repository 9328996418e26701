// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

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
    for (const auto& [key, object] : given.objects) {
        out += key.name + ":" + std::to_string(std::get<model::Service>(object->body).ports.at(0).port) + " ";
    }
    return out;
}

std::size_t errors(const Given& given) { return given.diagnostics.size(); }

}  // namespace

TEST_CASE("folder source: what all files have; of an object that several have the first file's counts, and the others are told") {
    const test::TestFolder folder;
    folder.write("b.yaml", service("b1") + "---\n" + service("a2"));
    folder.write("a.yaml", service("z"));
    Folder source(folder.text());
    CHECK(source.refresh());
    CHECK(names(source.given()) == "a2:80 b1:80 z:80 ");
    CHECK(source.given().state == State::ok);
    CHECK_FALSE(source.refresh());
    folder.write("a.yaml", service("z") + "---\n" + service("b1", "81"));
    folder.write("c.yaml", service("b1", "82"));
    CHECK(source.refresh());
    CHECK(names(source.given()) == "a2:80 b1:81 z:80 ");
    REQUIRE(source.given().diagnostics.size() == 2);
    CHECK(source.given().diagnostics[0].file == "b.yaml");
    CHECK(source.given().diagnostics[0].severity == model::Severity::warning);
    CHECK(source.given().diagnostics[1].message.find("it is in folder " + folder.text() + ": a.yaml, too") != std::string::npos);
    folder.remove("a.yaml");
    CHECK(source.refresh());
    CHECK(names(source.given()) == "a2:80 b1:80 ");
    CHECK(source.given().diagnostics.size() == 1);
    folder.write("b.yaml", service("a2"));
    CHECK(source.refresh());
    CHECK(names(source.given()) == "a2:80 b1:82 ");
    CHECK(source.given().diagnostics.empty());
}

TEST_CASE("folder source: what breaks keeps what it gave last, its neighbours are served as they are now") {
    struct Row {
        const char* name;
        std::string text;   // of the file that held one:80 and two:80
        const char* want;   // with the neighbour
    };
    const Row rows[] = {
        {"a bad field keeps that object only", service("one", "many") + "---\n" + service("two", "81"), "one:80 other:80 two:81 "},
        {"a syntax error keeps the rest of the file", service("one", "81") + "---\nkind: Service\n  metadata: [\n", "one:81 other:80 two:80 "},
        {"nothing readable keeps the whole file", "kind: Service\n  metadata: [\n", "one:80 other:80 two:80 "},
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
        CHECK(names(source.given()) == "one:80 other:80 two:80 ");
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
    CHECK(source.given().diagnostics[0].text() == "list " + folder.text() + "/m: No such file or directory");
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

TEST_CASE("folder source: to look at the files that changed gives what a look at all gives, over limits, too") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const test::TestFolder folder;
    const FolderLimits limits{.file_bytes_max = 600, .total_bytes_max = 800, .files_max = 5};
    Folder by_names(folder.text(), limits);
    by_names.refresh();
    for (int round = 0; round < 300; ++round) {
        FolderChange change;
        std::set<std::string> writing;
        for (auto i = random() % 3 + 1; i != 0; --i) {
            const std::string name = fmt::format("{}.yaml", random() % 7);
            change.names.insert(name);
            switch (random() % 5) {
                case 0: folder.write(name, ""); folder.remove(name); break;
                case 1: folder.write(name, "kind: [\n"); break;
                case 2: writing.insert(name); break;
                default: folder.write(name, service(fmt::format("s{}", random() % 5)) + "---\n" + service(fmt::format("s{}", random() % 5), std::to_string(random() % 3 + 80))); break;
            }
        }
        by_names.refresh(change, writing);
        by_names.refresh(change, {});
        Folder whole(folder.text(), limits);
        whole.refresh();
        CAPTURE(round);
        const auto readable = [](const Given& given) { return std::none_of(given.diagnostics.begin(), given.diagnostics.end(), [](const auto& one) { return one.severity == model::Severity::error; }); };
        REQUIRE(readable(by_names.given()) == readable(whole.given()));
        if (readable(whole.given())) {
            REQUIRE(names(by_names.given()) == names(whole.given()));
            REQUIRE(by_names.given().diagnostics.size() == whole.given().diagnostics.size());
        }
    }
}
