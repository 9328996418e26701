// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/value.hpp"

#include <nlohmann/json.hpp>

#include "ctl/model/value_text.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::model;

namespace {

// JSON on one line, or the fault as "line: message".
std::string shown(const Document& document) {
    if (!document.faults.empty()) {
        return std::to_string(document.faults[0].line) + ": " + document.faults[0].message;
    }
    return to_json_text(document.value, -1);
}

std::string read(const std::string& text, const TextLimits& limits = {}) {
    std::string all;
    for (const Document& document : parse_documents(text, limits)) {
        all += (all.empty() ? "" : " | ") + shown(document);
    }
    return all;
}

}  // namespace

TEST_CASE("value: YAML means what Kubernetes takes it for") {
    struct Case {
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"a: 1\nb: [x, 'y', \"z\"]\n", R"({"a":1,"b":["x","y","z"]})"},
        {"a: ~\nb: null\nc:\n", R"({"a":null,"b":null,"c":null})"},
        {"a: true\nb: False\nc: yes\nd: 'true'\n", R"({"a":true,"b":false,"c":"yes","d":"true"})"},
        {"a: 0x1F\nb: 0o17\nc: 017\nd: 1_000\ne: +5\nf: -5\n", R"({"a":31,"b":15,"c":"017","d":"1_000","e":5,"f":-5})"},
        {"a: 1.5\nb: 1e3\nc: .5\nd: 1.\ne: .inf\nf: 1.2.3.4\n", R"({"a":1.5,"b":1000.0,"c":0.5,"d":1.0,"e":".inf","f":"1.2.3.4"})"},
        {"a: 99999999999999999999\n", R"({"a":1e+20})"},
        {"a: 2026-01-02T03:04:05Z\n", R"({"a":"2026-01-02T03:04:05Z"})"},
        {"80: x\ntrue: y\n", R"({"80":"x","true":"y"})"},
        {"a: !!str 80\nb: !!int 80\n", R"({"a":"80","b":80})"},
        {"a: |\n  one\n  two\nb: >\n  one\n  two\n", R"({"a":"one\ntwo\n","b":"one two\n"})"},
        {"a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n", R"({"a":{"p":1,"q":2},"b":{"q":3,"p":1}})"},
        {"a: &x [1]\nb: *x\n", R"({"a":[1],"b":[1]})"},
        {"{\"a\": 1, \"b\": \"\\u00e4\"}", "{\"a\":1,\"b\":\"\xC3\xA4\"}"},
        {R"({"\N": "\_x\N\N", b: "\L\x85"})", "{\"\xC2\x85\":\"\xC2\xA0x\xC2\x85\xC2\x85\",\"b\":\"\xE2\x80\xA8\xC2\x85\"}"},
        {"{a: 1}", R"({"a":1})"},
        {"# nothing\n---\n---\n# but comments\n", ""},
        {"a: 1\n---\nb: 2\n...\n---\nc: 3\n", R"({"a":1} | {"b":2} | {"c":3})"},
        {"%YAML 1.2\n---\na: 1\n", R"({"a":1})"},
    };
    for (const Case& c : cases) {
        INFO(c.text);
        CHECK(read(c.text) == c.want);
    }
}

TEST_CASE("value: a fault names its line, and the documents around it stay") {
    struct Case {
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"a: 1\na: 2\n", "2: a member of this name is there already"},
        {"{\"a\": 1,\n\"a\": 2}", "2: a member of this name is there already"},
        {"a: &x [*x]\n", "1: an alias stands inside of what it stands for"},
        {"? [a]\n: 1\n", "1: the name of a member is not a string"},
        {"~: 1\n", "1: the name of a member is not a string"},
        {"a: !mine 1\n", "1: a tag of this name is not known"},
        {"a:\n  <<: 5\n", "2: a merge key takes an object or a list of objects"},
    };
    for (const Case& c : cases) {
        INFO(c.text);
        CHECK(read(c.text) == c.want);
    }
    const std::string broken = read("a: 1\n---\nb: [1\nc: 2\n---\nd: 4\n");
    CHECK(broken.starts_with(R"({"a":1} | )"));
    CHECK(broken.find("not YAML") != std::string::npos);
    CHECK(broken.ends_with(R"( | {"d":4})"));
}

TEST_CASE("value: every node knows its line, in YAML and in JSON") {
    const auto yaml = parse_documents("# first\na: 1\nb:\n- x\n- y\n---\nc: 3\n");
    REQUIRE(yaml.size() == 2);
    CHECK(yaml[0].value.find("a")->line() == 2);
    CHECK(yaml[0].value.find("b")->items()[1].line() == 5);
    CHECK(yaml[1].value.find("c")->line() == 7);

    const auto json = parse_documents("{\n  \"a\": 1,\n  \"b\": [\n    \"x\",\n    25\n  ],\n  \"c\": true\n}\n");
    REQUIRE(json.size() == 1);
    REQUIRE(json[0].faults.empty());
    CHECK(json[0].value.find("a")->line() == 2);
    CHECK(json[0].value.find("b")->line() == 3);
    CHECK(json[0].value.find("b")->items()[0].line() == 4);
    CHECK(json[0].value.find("b")->items()[1].line() == 5);
    CHECK(json[0].value.find("c")->line() == 7);
}

TEST_CASE("value: size, depth and aliases are bounded") {
    const TextLimits limits{.bytes_max = 4096, .nodes_max = 200, .depth_max = 5};
    CHECK(read(std::string(5000, ' '), limits) == "1: the text is longer than 4096 bytes");
    CHECK(read("a: 1\n---\nb: 1\n---\nc: 1\n---\nd: 1\n", {.documents_max = 2}) == R"({"a":1} | {"b":1} | 4: the text has more than 2 documents)");
    CHECK(read("[[[[[1]]]]]", limits) == "[[[[[1]]]]]");
    CHECK(read("[[[[[[1]]]]]]", limits) == "1: nested deeper than 5 levels");
    std::string bomb = "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n";
    CHECK(read(bomb, limits) == "3: the document has more than 200 values, aliases expanded");
    CHECK(read(std::string(100000, '[')).find(": n") != std::string::npos);
    CHECK(read(std::string(100000, '{')).find(": n") != std::string::npos);
}

TEST_CASE("value: YAML that is not UTF-8 is refused, in its document alone") {
    CHECK(read("a: \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\n") == "{\"a\":\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"}");
    for (const char* bad : {"\xBA", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF\xFE"}) {
        INFO(bad);
        const auto documents = parse_documents("a: 1\n---\nb: 2\nc: \"" + std::string(bad) + "\"\n");
        REQUIRE(documents.size() == 2);
        CHECK(documents[0].faults.empty());
        REQUIRE(documents[1].faults.size() == 1);
        CHECK(documents[1].faults[0].line == 4);
        CHECK(documents[1].faults[0].message == "not YAML: not UTF-8");
    }
    CHECK(read(std::string("\0\0\0a", 4)) == "1: not YAML: a control character");
    CHECK(read("a: 1\nb: \"\x1b\"\n") == "2: not YAML: a control character");
}

TEST_CASE("value: arrays of one name are left out of JSON where that is wished") {
    const TextLimits limits{.nodes_max = 20, .leave_out = "f"};
    auto kept = [&](std::string_view text) {
        const auto value = parse_json(text, limits);
        return value.ok() ? to_json_text(*value, -1) : value.error().message();
    };
    CHECK(kept(R"({"a":1,"f":[{"f":[1]},"x",[]],"b":{"f":[],"c":[2]}})") == R"({"a":1,"b":{"c":[2]}})");
    CHECK(kept(R"({"f":"x","g":{"f":{"f":[1],"h":2}}})") == R"({"f":"x","g":{"f":{"h":2}}})");
    CHECK(kept(R"([{"f":[1]},["f"]])") == R"([{},["f"]])");
    CHECK(kept(R"({"f":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]})") == "{}");
    CHECK(kept(R"({"f":[1)").find("not JSON") != std::string::npos);
    CHECK(kept(R"({"f":[)" + std::string(100'000, '[')).find("not JSON") != std::string::npos);
    CHECK(to_json_text(parse_json(R"({"f":[1]})").value(), -1) == R"({"f":[1]})");
}

TEST_CASE("value: text on one line is the library's own, whatever is in it") {
    const Value value = Value::object({{"plain", Value::string("a b")},
                                       {"q\"\\", Value::string("\"\\/\n\t\x01\x7f")},
                                       {"\xC3\xA4", Value::string("\xE2\x82\xAC \xFF")},
                                       {"numbers", Value::array({Value::integer(-7), Value::number(0.1), Value::number(1e300), Value::boolean(false), Value()})},
                                       {"empty", Value::array({Value::array({}), Value::object({}), Value::string("")})}});
    CHECK(to_json_text(value, -1) == to_json(value).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

TEST_CASE("value: with and without make a new object") {
    const Value value = Value::object({{"a", Value::integer(1)}, {"b", Value::string("x")}});
    CHECK(to_json_text(value.with("a", Value::integer(2)).with("c", Value()), -1) == R"({"a":2,"b":"x","c":null})");
    CHECK(value.without("none") == value);
    CHECK(Value::string("junk").without("a") == Value::string("junk"));
    CHECK(to_json_text(value.without("a"), -1) == R"({"b":"x"})");
    CHECK(to_json_text(value, -1) == R"({"a":1,"b":"x"})");
    CHECK(value.with("b", Value::object({{"d", Value::boolean(true)}})).find_path({"b", "d"}) != nullptr);
    CHECK(value.find_path({"b", "d"}) == nullptr);
    CHECK(from_json(to_json(value)) == value);
}

TEST_CASE("value: what is written as YAML is read back the same") {
    const Value value = Value::object({
        {"plain", Value::string("shop.example.com")},
        {"strings", Value::array({Value::string(""), Value::string("80"), Value::string("true"), Value::string("no"), Value::string("a: b"),
                                  Value::string("# x"), Value::string("*.example.com"), Value::string("two\nlines\n"), Value::string("tab\t\"q\""),
                                  Value::string(" lead"), Value::string("2026-01-02"), Value::string("~"), Value::string("-"), Value::string("x\n\ny"), Value::string("\x7f d\x7f\x7f")})},
        {"\x7f", Value()},
        {"80", Value::array({Value::array({Value::integer(1), Value::array({})}), Value::object({})})},
        {"nested", Value::array({Value::object({{"a", Value::array({Value::object({{"b", Value::number(1.5)}})})}, {"pem", Value::string("A\nB\n")}})})},
        {"nothing", Value()},
        {"yes", Value::boolean(false)},
    });
    const std::string text = to_yaml_text(value);
    INFO(text);
    const auto documents = parse_documents(text);
    REQUIRE(documents.size() == 1);
    REQUIRE(documents[0].faults.empty());
    CHECK(documents[0].value == value);
    CHECK(to_yaml_text(Value::array({})) == "[]\n");
    CHECK(to_yaml_text(Value::string("-\n")) == "|\n  -\n");
}
