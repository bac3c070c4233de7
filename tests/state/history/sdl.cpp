// SPDX-License-Identifier: MIT
// sdl: SDL 1.2 with its driver that shows nothing. Its functions are declared here as far as they are used.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "remembering.hpp"

extern "C" {
struct sdl_surface {
  std::uint32_t flags;
  void* format;
  int width, height;
  std::uint16_t pitch;
  void* pixels;
};
struct sdl_event {
  std::uint8_t type;
  int code;
  void* data1;
  void* data2;
  std::array<unsigned char, 64> rest;
};
struct sdl_rectangle {
  std::int16_t x, y;
  std::uint16_t width, height;
};
int SDL_Init(std::uint32_t what);
sdl_surface* SDL_SetVideoMode(int width, int height, int bits, std::uint32_t flags);
sdl_surface* SDL_GetVideoSurface(void);
sdl_surface* SDL_CreateRGBSurface(std::uint32_t flags, int width, int height, int bits, std::uint32_t red,
                                  std::uint32_t green, std::uint32_t blue, std::uint32_t alpha);
void SDL_FreeSurface(sdl_surface* surface);
int SDL_UpperBlit(sdl_surface* from, sdl_rectangle* source, sdl_surface* to, sdl_rectangle* target);
int SDL_FillRect(sdl_surface* surface, sdl_rectangle* where, std::uint32_t colour);
int SDL_Flip(sdl_surface* surface);
int SDL_PushEvent(sdl_event* event);
int SDL_PollEvent(sdl_event* event);
void SDL_WM_SetCaption(const char* title, const char* icon);
void SDL_WM_GetCaption(char** title, char** icon);
int SDL_EnableKeyRepeat(int delay, int interval);
void SDL_GetKeyRepeat(int* delay, int* interval);
std::uint8_t SDL_EventState(std::uint8_t type, int state);
}

namespace autoreload_test {

namespace {

struct sdl_api {
  autoreload::required<::SDL_Init> init;
  autoreload::required<::SDL_SetVideoMode> set_mode;
  autoreload::required<::SDL_GetVideoSurface> screen;
  autoreload::required<::SDL_CreateRGBSurface> make;
  autoreload::required<::SDL_FreeSurface> free;
  autoreload::required<::SDL_UpperBlit> copy;
  autoreload::required<::SDL_FillRect> fill;
  autoreload::required<::SDL_Flip> flip;
  autoreload::required<::SDL_PushEvent> push;
  autoreload::required<::SDL_PollEvent> poll;
  autoreload::required<::SDL_WM_SetCaption> set_title;
  autoreload::required<::SDL_WM_GetCaption> title;
  autoreload::required<::SDL_EnableKeyRepeat> set_repeat;
  autoreload::required<::SDL_GetKeyRepeat> repeat;
  autoreload::required<::SDL_EventState> event_state;
};

constexpr std::uint32_t video = 0x20;
constexpr std::uint8_t user_event = 24;
constexpr std::uint8_t mouse_moved = 4;
constexpr int size = 64;

class sdl_library final : public remembering_by<sdl_api> {
 public:
  void remember(int step) override {
    if (step == 0) {
      setenv("SDL_VIDEODRIVER", "dummy", 1);
      if (lib()->init(video) != 0 || lib()->set_mode(size, size, 32, 0) == nullptr) return;
      lib()->set_repeat(123, 45);
      (void)lib()->event_state(mouse_moved, 0);  // not wanted
      sdl_event any{};
      while (lib()->poll(&any) != 0) continue;
    }
    lib()->set_title(name(step).c_str(), "icon");
    sdl_rectangle row{0, static_cast<std::int16_t>(step), size, 1};
    lib()->fill(lib()->screen(), &row, colour(step));
    sdl_event made{};
    made.type = user_event;
    made.code = step;
    lib()->push(&made);
  }

  std::string forgotten(int step) override {
    sdl_surface* const screen = lib()->screen();
    if (screen == nullptr || screen->width != size) return "its screen";
    for (int i = 0; i <= step; ++i) {
      if (pixel(*screen, i) != colour(i)) return "row " + std::to_string(i) + " of what was drawn";
    }
    char* title = nullptr;
    char* icon = nullptr;
    lib()->title(&title, &icon);
    if (title == nullptr || name(step) != title) return "the window's title";
    int delay = 0;
    int interval = 0;
    lib()->repeat(&delay, &interval);
    if (delay != 123 || interval != 45) return "how keys repeat";
    if (lib()->event_state(mouse_moved, -1) != 0) return "which events are not wanted";
    // The event of the last step waits in the queue; the driver is asked for more first.
    sdl_event got{};
    while (lib()->poll(&got) != 0 && got.type != user_event) continue;
    if (got.type != user_event || got.code != step) return "the event that waited";
    return draws(*screen, step) ? "" : "how to draw on the screen";
  }

 private:
  static std::string name(int step) { return "window of step " + std::to_string(step); }
  static std::uint32_t colour(int step) { return 0x010203U * static_cast<std::uint32_t>(step + 1); }
  static std::uint32_t pixel(const sdl_surface& of, int row) {
    std::uint32_t value = 0;
    std::memcpy(&value, static_cast<const char*>(of.pixels) + row * of.pitch, sizeof value);
    return value;
  }
  // The screen's own functions for copying were found by the build that made it.
  bool draws(sdl_surface& screen, int step) {
    sdl_surface* const made = lib()->make(0, size, 1, 32, 0xff0000, 0xff00, 0xff, 0);
    if (made == nullptr) return false;
    lib()->fill(made, nullptr, colour(step + 7));
    sdl_rectangle to{0, size - 1, 0, 0};
    const bool copied = lib()->copy(made, nullptr, &screen, &to) == 0;
    lib()->free(made);
    return copied && lib()->flip(&screen) == 0 && pixel(screen, size - 1) == colour(step + 7);
  }
};

}  // namespace

std::unique_ptr<remembering> sdl() { return std::make_unique<sdl_library>(); }

}  // namespace autoreload_test
