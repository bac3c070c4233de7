// SPDX-License-Identifier: MIT
// libxml2: its functions are declared here as far as they are used, so that its headers need not be there.
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "remembering.hpp"

extern "C" {
using xml_text = const unsigned char*;
using xml_match = int (*)(const char*);
using xml_open = void* (*)(const char*);
using xml_read = int (*)(void*, char*, int);
using xml_close = int (*)(void*);
using xml_code = int (*)(unsigned char* out, int* out_size, const unsigned char* in, int* in_size);
int xmlCatalogAdd(xml_text type, xml_text name, xml_text replacement);
unsigned char* xmlCatalogResolvePublic(xml_text name);
int xmlSubstituteEntitiesDefault(int value);
int xmlRegisterInputCallbacks(xml_match match, xml_open open, xml_read read, xml_close close);
void* xmlNewCharEncodingHandler(const char* name, xml_code in, xml_code out);
void* xmlFindCharEncodingHandler(const char* name);
void* xmlReadFile(const char* name, const char* encoding, int options);
void* xmlReadMemory(const char* text, int size, const char* name, const char* encoding, int options);
void* xmlDocGetRootElement(void* document);
unsigned char* xmlNodeGetContent(void* node);
void xmlFreeDoc(void* document);
void xmlInitializeCatalog(void);
}

namespace autoreload_test {

namespace {

struct xml_api {
  autoreload::required<::xmlInitializeCatalog> initialize_catalog;
  autoreload::required<::xmlCatalogAdd> catalog_add;
  autoreload::required<::xmlCatalogResolvePublic> resolve;
  autoreload::required<::xmlSubstituteEntitiesDefault> substitute;
  autoreload::required<::xmlRegisterInputCallbacks> register_input;
  autoreload::required<::xmlNewCharEncodingHandler> new_encoding;
  autoreload::required<::xmlFindCharEncodingHandler> find_encoding;
  autoreload::required<::xmlReadFile> read_file;
  autoreload::required<::xmlReadMemory> read_memory;
  autoreload::required<::xmlDocGetRootElement> root;
  autoreload::required<::xmlNodeGetContent> content;
  autoreload::required<::xmlFreeDoc> free_document;
};

xml_text text_of(const std::string& text) { return reinterpret_cast<xml_text>(text.c_str()); }

// The host's part: a file that only its functions know, and an encoding in which every letter is one further.
constexpr std::string_view host_document = "<?xml version='1.0'?><doc>from the host</doc>";
std::size_t host_read = 0;
int host_match(const char* name) { return std::strncmp(name, "host:", 5) == 0 ? 1 : 0; }
void* host_open(const char*) {
  host_read = 0;
  return &host_read;
}
int host_take(void*, char* into, int size) {
  const std::size_t part = std::min(host_document.size() - host_read, static_cast<std::size_t>(size));
  std::memcpy(into, host_document.data() + host_read, part);
  host_read += part;
  return static_cast<int>(part);
}
int host_close(void*) { return 0; }
int shift_by(int by, unsigned char* out, int* out_size, const unsigned char* in, int* in_size) {
  const int size = std::min(*out_size, *in_size);
  for (int i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(in[i] + by);
  *out_size = *in_size = size;
  return size;
}
int shift_in(unsigned char* out, int* out_size, const unsigned char* in, int* in_size) {
  return shift_by(-1, out, out_size, in, in_size);
}
int shift_out(unsigned char* out, int* out_size, const unsigned char* in, int* in_size) {
  return shift_by(1, out, out_size, in, in_size);
}

class xml final : public remembering_by<xml_api> {
 public:
  void remember(int step) override {
    if (step == 0) {
      setenv("XML_CATALOG_FILES", "/nonexistent/catalog", 1);
      lib()->initialize_catalog();
      lib()->substitute(1);
      lib()->register_input(host_match, host_open, host_take, host_close);
      lib()->new_encoding("X-SHIFTED", shift_in, shift_out);
    }
    lib()->catalog_add(text_of("public"), text_of(name(step)), text_of(place(step)));
  }

  std::string forgotten(int step) override {
    for (int i = 0; i <= step; ++i) {
      unsigned char* const found = lib()->resolve(text_of(name(i)));
      const bool same = found != nullptr && place(i) == reinterpret_cast<const char*>(found);
      std::free(found);
      if (!same) return "the entry " + name(i) + " of the catalog";
    }
    if (lib()->substitute(1) != 1) return "that entities are substituted";
    if (content_of(lib()->read_file("host:doc", nullptr, 0)) != "from the host") return "the host's input functions";
    if (lib()->find_encoding("x-shifted") == nullptr) return "the host's encoding";
    std::string shifted = "<d>hello</d>";
    for (char& c : shifted) c = static_cast<char>(c + 1);
    if (content_of(parsed(shifted, "X-SHIFTED")) != "hello") return "what the host's encoding does";
    // Handlers of the library's own, each found through the heap.
    if (content_of(parsed("<d>caf\xe9</d>", "ISO-8859-1")) != "caf\xc3\xa9") return "Latin 1";
    if (content_of(parsed("<d>h</d>", "ASCII")) != "h") return "ASCII";
    return {};
  }

 private:
  static std::string name(int step) { return "-//Somebody//Thing " + std::to_string(step) + "//EN"; }
  static std::string place(int step) { return "http://example.org/" + std::to_string(step); }
  void* parsed(const std::string& text, const char* encoding) {
    return lib()->read_memory(text.data(), static_cast<int>(text.size()), "text", encoding, 0);
  }
  std::string content_of(void* document) {
    if (document == nullptr) return "no document";
    unsigned char* const found = lib()->content(lib()->root(document));
    std::string text = found == nullptr ? "" : reinterpret_cast<const char*>(found);
    std::free(found);
    lib()->free_document(document);
    return text;
  }
};

}  // namespace

std::unique_ptr<remembering> libxml2() { return std::make_unique<xml>(); }

}  // namespace autoreload_test
