// SPDX-License-Identifier: Apache-2.0
// Reading YAML by yaml-cpp's events, one document at a time.
#include <algorithm>
#include <istream>
#include <map>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "ctl/model/formats.hpp"
#include "ctl/model/text_read.hpp"
#include "ctl/model/tree_builder.hpp"
#include "ctl/model/yaml_scalar.hpp"

namespace penstock::model {
namespace {

constexpr std::string_view kYamlTag = "tag:yaml.org,2002:";

// yaml-cpp 0.7 writes the escapes \N (U+0085) and \_ (U+00A0) as one byte each, which is no UTF-8. The text around them is:
// a byte that continues nothing can only be one of the two.
std::string with_whole_escapes(std::string text) {
    std::size_t at = utf8_end(text);
    while (at != text.size() && (text[at] == '\x85' || text[at] == '\xA0')) {
        text.insert(at, 1, '\xC2');
        at += utf8_end(std::string_view(text).substr(at));
    }
    return text;
}

class YamlBuilder : public YAML::EventHandler {
public:
    YamlBuilder(const TextLimits& limits, int first_line) : limits_(limits), first_line_(first_line) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        tree_ = TreeBuilder(limits_);
        anchors_.clear();
        open_.clear();
        line_ = line_of(mark);
        stuck_ = mark.pos == position_;
        position_ = mark.pos;
    }
    // yaml-cpp gives one empty document after the other for a stray "," and moves no further.
    [[nodiscard]] bool stuck() const { return stuck_; }
    [[nodiscard]] int line() const { return line_; }
    void OnDocumentEnd() override {
        Document document{tree_.root().value_or(Value::null(line_)), line_, {}};
        if (tree_.fault()) {
            document.faults.push_back(*tree_.fault());
        }
        if (tree_.failed() || !document.value.is_null()) {
            documents.push_back(std::move(document));
        }
    }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (tree_.wants_name()) {
            tree_.fail(line_of(mark), "the name of a member is not a string");
        }
        put(Value::null(line_of(mark)), anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) {
            tree_.fail(line_of(mark), "an alias stands inside of what it stands for");
        } else if (!tree_.wants_name()) {
            tree_.put_at(found->second.value, found->second.nodes, line_of(mark));
        } else if (const std::string* text = found->second.value.as_string()) {
            tree_.name(*text, line_of(mark));
        } else {
            tree_.fail(line_of(mark), "the name of a member is not a string");
        }
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& read) override {
        const int line = line_of(mark);
        const std::string text = with_whole_escapes(read);
        if (tree_.wants_name()) {
            if (anchor != YAML::NullAnchor) {
                anchors_[anchor] = {Value::string(text, line), 1};
            }
            tag == "?" && text == "<<" ? tree_.merge(line) : tree_.name(text, line);
            return;
        }
        put(scalar(tag, text, line), anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        open(mark, tag, "seq", anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        open(mark, tag, "map", anchor);
    }
    void OnMapEnd() override { close(); }

    std::vector<Document> documents;

private:
    struct Anchored {
        Value value;
        std::size_t nodes = 0;
    };
    struct Open {
        YAML::anchor_t anchor;
        std::size_t nodes_before;
    };

    [[nodiscard]] int line_of(const YAML::Mark& mark) const { return mark.line + first_line_; }

    void put(Value value, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor) {
            anchors_[anchor] = {value, 1};
        }
        tree_.put(std::move(value));
    }
    void open(const YAML::Mark& mark, const std::string& tag, std::string_view own, YAML::anchor_t anchor) {
        if (!tag.empty() && tag != "?" && tag != "!" && tag != std::string(kYamlTag).append(own)) {
            tree_.fail(line_of(mark), "a tag of this name is not known");
        }
        open_.push_back({anchor, tree_.nodes()});
        tree_.begin(own == "map", line_of(mark));
    }
    void close() {
        tree_.end();
        const Open opened = open_.back();
        open_.pop_back();
        if (opened.anchor != YAML::NullAnchor && !tree_.failed()) {
            anchors_[opened.anchor] = {tree_.last(), tree_.nodes() - opened.nodes_before};
        }
    }
    Value scalar(const std::string& tag, const std::string& text, int line) {
        if (tag == "!" || tag == std::string(kYamlTag) + "str" || tag == std::string(kYamlTag) + "binary" ||
            tag == std::string(kYamlTag) + "timestamp") {
            return Value::string(text, line);
        }
        const bool typed = tag == std::string(kYamlTag) + "int" || tag == std::string(kYamlTag) + "float" ||
                           tag == std::string(kYamlTag) + "bool" || tag == std::string(kYamlTag) + "null";
        if (!tag.empty() && tag != "?" && !typed) {
            tree_.fail(line, "a tag of this name is not known");
        }
        return plain_scalar(text, line);
    }

    TextLimits limits_;
    int first_line_;
    int line_ = 0;
    TreeBuilder tree_{TextLimits{}};
    std::map<YAML::anchor_t, Anchored> anchors_;
    std::vector<Open> open_;
    int position_ = -1;  // where the document began
    bool stuck_ = false;
};

// A stream over a text that stays where it is.
class TextBuffer : public std::streambuf {
public:
    explicit TextBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // never written: std::streambuf has no read-only form
        setg(begin, begin, begin + text.size());
    }
};

// yaml-cpp would take a text with NULs for UTF-16 or UTF-32, and pass on what is no UTF-8.
std::optional<TextFault> fault_of_characters(std::string_view text, int first_line) {
    const auto line_at = [&](std::size_t end) {
        return first_line + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    };
    if (const std::size_t end = utf8_end(text); end != text.size()) {
        return TextFault{line_at(end), "not YAML: not UTF-8"};
    }
    const auto control = std::find_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    });
    if (control != text.end()) {
        return TextFault{line_at(static_cast<std::size_t>(control - text.begin())), "not YAML: a control character"};
    }
    return std::nullopt;
}

}  // namespace

std::vector<Document> read_yaml(std::string_view text, int first_line, const TextLimits& limits) {
    if (auto fault = fault_of_characters(text, first_line)) {
        return {{{}, fault->line, {std::move(*fault)}}};
    }
    YamlBuilder builder(limits, first_line);
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
            if (builder.stuck()) {
                builder.documents.push_back({{}, builder.line(), {{builder.line(), "not YAML: a character that begins nothing"}}});
                break;
            }
        }
    } catch (const YAML::Exception& exception) {  // yaml-cpp has no other way to tell
        const int line = exception.mark.is_null() ? first_line : exception.mark.line + first_line;
        builder.documents.push_back({{}, line, {{line, "not YAML: " + exception.msg}}});
    }
    return std::move(builder.documents);
}

}  // namespace penstock::model
