# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table: which streams cross, how they are consumed, what must be equal."""
import dataclasses
import hashlib

VIDEO = ("videotestsrc num-buffers=50 pattern=ball ! video/x-raw,format=I420,"
         "width=176,height=144,framerate=25/1")
AUDIO = ("audiotestsrc num-buffers=86 samplesperbuffer=1024 ! audio/x-raw,"
         "format=S16LE,rate=44100,channels=2 ! audioconvert")
H264 = (f"{VIDEO} ! x264enc bframes=3 b-adapt=false key-int-max=20 "
        "speed-preset=ultrafast ! h264parse")
AAC = f"{AUDIO} ! avenc_aac ! aacparse"
# 50 packets, 25 of them a second; every third triplet is a valid one.
PACKETS = ("fakesrc num-buffers=50 format=time sizetype=fixed "
           "filltype=pattern-span ")
KLV = PACKETS + "sizemax=28 datarate=700 ! meta/x-klv,parsed=true"
CAPTIONS = (PACKETS + "sizemax=60 datarate=1500 ! closedcaption/x-cea-708,"
            "format=cc_data,framerate=25/1")
FILE = "filesink location={file}"

# Files, made once by Debian's own encoders.
MEDIA = {
    "film.mp4": f"{H264} ! mp4mux name=m faststart=true ! {FILE} {AAC} ! m.",
    "fragmented.mp4": f"{H264} ! mp4mux name=m fragment-duration=400 "
                      f"streamable=true ! {FILE} {AAC} ! m.",
    "film.mkv": f"{H264} ! matroskamux name=m ! {FILE} {AAC} ! m.",
    "film.ts": f"{H264} ! mpegtsmux name=m ! {FILE} {AAC} ! m.",
    "film.flv": f"{H264} ! flvmux name=m ! {FILE} {AAC} ! m.",
    "film.mov": f"{VIDEO} ! videoconvert ! avenc_prores ! qtmux "
                f"faststart=true ! {FILE}",
    "film.webm": f"{VIDEO} ! vp8enc deadline=1 keyframe-max-dist=20 ! webmmux "
                 f"name=m ! {FILE} {AUDIO} ! vorbisenc ! m.",
    "vp9.webm": f"{VIDEO} ! vp9enc deadline=1 cpu-used=8 keyframe-max-dist=20 "
                f"! webmmux ! {FILE}",
    "av1.mkv": f"{VIDEO} ! av1enc cpu-used=8 usage-profile=realtime "
               f"keyframe-max-dist=20 ! av1parse ! matroskamux ! {FILE}",
    "h265.mkv": f"{VIDEO} ! x265enc speed-preset=ultrafast key-int-max=20 "
                f"! h265parse ! matroskamux ! {FILE}",
    "film.ogg": f"{VIDEO} ! theoraenc keyframe-force=16 ! oggmux name=m "
                f"! {FILE} {AUDIO} ! vorbisenc ! m.",
    "opus.ogg": "audiotestsrc num-buffers=86 ! audio/x-raw,rate=48000,"
                f"channels=2 ! opusenc ! oggmux ! {FILE}",
    "opus.mkv": "audiotestsrc num-buffers=86 ! audio/x-raw,rate=48000,"
                f"channels=2 ! opusenc ! matroskamux ! {FILE}",
    "film.avi": f"{VIDEO} ! jpegenc ! avimux name=m ! {FILE} "
                f"{AUDIO} ! lamemp3enc ! mpegaudioparse ! m.",
    "mpeg2.mpg": f"{VIDEO} ! mpeg2enc format=3 ! mpegvideoparse ! mpegpsmux "
                 f"! {FILE}",
    "song.flac": f"{AUDIO} ! taginject tags=\"title=A\\ song,artist=Datahub\" "
                 f"! flacenc ! {FILE}",
    "song.mp3": f"{AUDIO} ! taginject tags=\"title=A\\ song\" ! lamemp3enc "
                f"! id3v2mux ! {FILE}",
    "song.wav": f"{AUDIO} ! wavenc ! {FILE}",
    "interlaced.ts": f"{VIDEO} ! interlace field-pattern=2:2 ! x264enc "
                     "interlaced=true speed-preset=ultrafast ! h264parse "
                     f"! mpegtsmux ! {FILE}",
    "captions.mkv": f"{H264} ! matroskamux name=m ! {FILE}",
}

DECODE_H264 = "h264parse ! avdec_h264 max-threads=1"
DECODE_NALS = ("h264parse ! video/x-h264,stream-format=byte-stream,"
               "alignment=au ! avdec_h264 max-threads=1")
MP4 = "filesrc location={media:film.mp4} ! qtdemux name=d "
MKV = "filesrc location={media:film.mkv} ! matroskademux name=d "


@dataclasses.dataclass
class Row:
    """A stream. In `input`, {0}, {1}... stand for the sinks; one without them
    ends in the only sink. `tails` is what consumers do with each stream."""
    name: str
    group: str
    input: str
    tails: tuple = ("identity",)
    late: bool = False  # late consumers, and live ones, in the normal run, too
    live: bool = False  # the input is live and has no end
    fresh: bool = False  # its bytes are others in each run
    # the buffer at which a late consumer joins, if not a third of those that the
    # stream has in one process
    late_at: int | None = None
    synced: bool = False  # played at its own speed
    late_end: str = "half"  # what a late consumer decodes: the last half is
    #                         the same, or "some", or "none"
    seek: tuple = ()  # (buffers before it, or "paused"; rate, flags, start, stop)
    pause: str = ""  # which end pauses and plays again
    stays: tuple = ()  # metas that are nothing to the consumer and stay behind

    def __post_init__(self):
        if isinstance(self.tails, str):
            self.tails = (self.tails,)
        if "{0}" not in self.input:
            self.input += " ! {0}"


FLUSH, ACCURATE, KEY_UNIT, SEGMENT = 1, 2, 4, 8


def demuxed(demux, pad, rest=""):
    return (f"{demux} name=d d.{pad}" + (f" ! {rest}" if rest else ""))


def bytes_of(name, media, tail, **options):
    return Row(name, "containers", f"filesrc location={{media:{media}}}", tail,
               late_end="none", **options)


def muxed(name, mux, demux, tail=DECODE_H264, source=H264, **options):
    """Its encoder makes a key frame for a late consumer, so that pictures are
    others from there on."""
    return Row(name, "muxed", f"{source} ! {mux}", f"{demux} ! {tail}",
               fresh=True, late=True, late_end="some", **options)


def elementary(name, media, demux, pad, parse, tail, **options):
    return Row(name, "codecs", f"filesrc location={{media:{media}}} ! "
               + demuxed(demux, pad, parse), tail, **options)


CONTAINERS = [
    bytes_of("mp4-bytes", "film.mp4",
             f"qtdemux name=e e.video_0 ! {DECODE_H264}"),
    bytes_of("mp4-fragmented-bytes", "fragmented.mp4",
             f"qtdemux name=e e.video_0 ! {DECODE_H264}"),
    bytes_of("mkv-bytes", "film.mkv",
             f"matroskademux name=e e.video_0 ! {DECODE_H264}"),
    bytes_of("webm-bytes", "film.webm",
             "matroskademux name=e e.video_0 ! vp8dec"),
    bytes_of("ts-bytes", "film.ts",
             f"tsdemux name=e ! {DECODE_H264}", late=True),
    bytes_of("flv-bytes", "film.flv", f"flvdemux name=e e.video ! {DECODE_H264}"),
    # Its demuxer reads the file twice in one process: how many buffers that makes
    # depends on when it seeks. The file itself has six.
    bytes_of("ogg-bytes", "film.ogg", "oggdemux name=e ! theoradec",
             fresh=True, late_at=2),
    bytes_of("avi-bytes", "film.avi", "avidemux name=e e.video_0 ! jpegdec"),
    bytes_of("mov-bytes", "film.mov", "qtdemux ! avdec_prores max-threads=1"),
    bytes_of("mpeg-ps-bytes", "mpeg2.mpg",
             "mpegpsdemux ! mpegvideoparse ! avdec_mpeg2video max-threads=1"),
    bytes_of("wav-bytes", "song.wav", "wavparse"),
    bytes_of("flac-bytes", "song.flac", "flacparse ! flacdec"),
    bytes_of("mp3-bytes", "song.mp3",
             "id3demux ! mpegaudioparse ! mpg123audiodec"),
]

MUXED = [
    muxed("ts-muxed", "mpegtsmux", "tsdemux"),
    muxed("mkv-muxed", "matroskamux streamable=true", "matroskademux"),
    muxed("webm-muxed", "webmmux streamable=true", "matroskademux", "vp8dec",
          f"{VIDEO} ! vp8enc deadline=0 cpu-used=4 keyframe-max-dist=20",
          stays=("GstVP8Meta-api",)),  # only rtpvp8pay reads it
    muxed("mp4-muxed", "mp4mux fragment-duration=400 streamable=true",
          "qtdemux"),
    muxed("flv-muxed", "flvmux streamable=true", "flvdemux"),
    muxed("ogg-muxed", "oggmux", "oggdemux", "theoradec",
          f"{VIDEO} ! theoraenc keyframe-force=16"),
    muxed("ogg-opus-muxed", "oggmux", "oggdemux", "opusdec",
          "audiotestsrc num-buffers=86 ! audio/x-raw,rate=48000,channels=2 "
          "! opusenc"),
]

CODECS = [
    elementary("h264-avc", "film.mp4", "qtdemux", "video_0", "h264parse",
               DECODE_H264, late=True),
    elementary("h264-unparsed", "film.mp4", "qtdemux", "video_0", "",
               DECODE_H264),
    elementary("h264-au", "film.mkv", "matroskademux", "video_0",
               "h264parse ! video/x-h264,stream-format=byte-stream,"
               "alignment=au", DECODE_H264),
    elementary("h264-nal", "film.mkv", "matroskademux", "video_0",
               "h264parse ! video/x-h264,stream-format=byte-stream,"
               "alignment=nal", DECODE_NALS),
    elementary("h264-of-ts", "film.ts", "tsdemux", "", "h264parse",
               DECODE_H264),
    elementary("h264-of-flv", "film.flv", "flvdemux", "video", "h264parse",
               DECODE_H264),
    elementary("h264-of-fragments", "fragmented.mp4", "qtdemux", "video_0",
               "h264parse", DECODE_H264),
    elementary("h265-hvc1", "h265.mkv", "matroskademux", "video_0",
               "h265parse", "h265parse ! avdec_h265 max-threads=1"),
    elementary("h265-nal", "h265.mkv", "matroskademux", "video_0",
               "h265parse ! video/x-h265,stream-format=byte-stream,"
               "alignment=nal", "h265parse ! video/x-h265,"
               "stream-format=byte-stream,alignment=au ! avdec_h265 "
               "max-threads=1"),
    elementary("vp8", "film.webm", "matroskademux", "video_0", "", "vp8dec",
               late=True),
    elementary("vp9", "vp9.webm", "matroskademux", "video_0", "", "vp9dec"),
    elementary("av1", "av1.mkv", "matroskademux", "video_0", "av1parse",
               "av1parse ! av1dec"),
    elementary("av1-obu", "av1.mkv", "matroskademux", "video_0",
               "av1parse ! video/x-av1,alignment=obu",
               "av1parse ! video/x-av1,alignment=tu ! av1dec"),
    Row("h264-slices", "codecs", f"{VIDEO} ! x264enc key-int-max=20 aud=true "
        "sliced-threads=true threads=4 speed-preset=ultrafast ! h264parse ! "
        "video/x-h264,stream-format=byte-stream,alignment=nal", DECODE_NALS,
        fresh=True, late_end="some"),
    elementary("mjpeg", "film.avi", "avidemux", "video_0", "", "jpegdec"),
    elementary("prores", "film.mov", "qtdemux", "video_0", "",
               "avdec_prores max-threads=1"),
    elementary("mpeg2", "mpeg2.mpg", "mpegpsdemux", "", "mpegvideoparse",
               "avdec_mpeg2video max-threads=1",
               stays=("GstMpegVideoMetaAPI",)),  # of its parser
    elementary("theora", "film.ogg", "oggdemux", "", "theoraparse",
               "theoradec"),
    elementary("aac", "film.mp4", "qtdemux", "audio_0", "aacparse",
               "avdec_aac", late_end="some"),
    elementary("aac-unparsed", "film.mp4", "qtdemux", "audio_0", "",
               "aacparse ! avdec_aac", late_end="some"),
    elementary("aac-adts", "film.ts", "tsdemux", "",
               "audio/mpeg ! aacparse ! audio/mpeg,stream-format=adts",
               "aacparse ! avdec_aac", late_end="some"),
    elementary("opus-of-ogg", "opus.ogg", "oggdemux", "", "opusparse",
               "opusdec"),
    elementary("opus-of-mkv", "opus.mkv", "matroskademux", "audio_0", "",
               "opusdec"),
    elementary("vorbis", "film.webm", "matroskademux", "audio_0", "",
               "vorbisdec", late=True),
    Row("flac", "codecs", "filesrc location={media:song.flac} ! flacparse",
        "flacdec", late=True),
    Row("mp3", "codecs", "filesrc location={media:song.mp3} ! id3demux "
        "! mpegaudioparse", "mpg123audiodec"),
    Row("wav", "codecs", "filesrc location={media:song.wav} ! wavparse"),
    Row("mulaw", "codecs", f"{AUDIO} ! mulawenc", "mulawdec"),
    Row("png", "codecs", f"{VIDEO} ! videoconvert ! pngenc", "pngdec"),
    Row("jpeg2000", "codecs", f"{VIDEO} ! videoconvert ! openjpegenc",
        "openjpegdec"),
    Row("film", "codecs", f"{MP4} d.video_0 ! queue ! h264parse ! {{0}} "
        "d.audio_0 ! queue ! aacparse ! {1}", (DECODE_H264, "avdec_aac"),
        late=True, late_end="some"),
    Row("film-decoded", "codecs", f"{MKV} d.video_0 ! queue ! {DECODE_H264} ! "
        "{0} d.audio_0 ! queue ! aacparse ! avdec_aac ! {1}",
        ("identity", "identity")),
]


def picture(name, caps, convert="videoconvert", width=176, height=144,
            tail="identity", **options):
    return Row(name, "raw", "videotestsrc num-buffers=30 pattern=ball ! "
               f"video/x-raw,width={width},height={height},framerate=25/1 ! "
               f"{convert} ! {caps}", tail, **options)


RAW = [
    picture("i420", "video/x-raw,format=I420", late=True),
    picture("i420-odd", "video/x-raw,format=I420", width=175, height=143),
    picture("nv12-odd", "video/x-raw,format=NV12", width=97, height=33),
    picture("i420-one-pixel", "video/x-raw,format=I420", width=1, height=1),
    picture("rgb-odd", "video/x-raw,format=RGB", width=321, height=7),
    picture("gray8-odd", "video/x-raw,format=GRAY8", width=131, height=61),
    picture("bgra", "video/x-raw,format=BGRA"),
    picture("argb64", "video/x-raw,format=ARGB64"),
    picture("i420-10", "video/x-raw,format=I420_10LE", width=175, height=143),
    picture("p010", "video/x-raw,format=P010_10LE"),
    picture("y42b", "video/x-raw,format=Y42B", width=175, height=143),
    picture("uyvy-odd", "video/x-raw,format=UYVY", width=175, height=143),
    picture("i422-10", "video/x-raw,format=I422_10LE"),
    picture("v210", "video/x-raw,format=v210", width=175, height=144),
    picture("y444-16", "video/x-raw,format=Y444_16LE"),
    picture("nv12-tiled", "video/x-raw,format=NV12_4L4"),
    picture("nv12-tiled-64x32", "video/x-raw,format=NV12_64Z32"),
    picture("interlaced", "video/x-raw,interlace-mode=interleaved",
            "videoconvert ! interlace field-pattern=2:2"),
    picture("interlaced-mixed", "video/x-raw,interlace-mode=mixed",
            "videoconvert ! interlace field-pattern=2:3"),
    picture("interlaced-fields",
            "video/x-raw(format:Interlaced),interlace-mode=alternate",
            "videoconvert ! interlace field-pattern=2:2"),
    picture("bayer", "video/x-bayer,format=bggr",
            "videoconvert ! rgb2bayer", tail="bayer2rgb"),
    picture("stereo", "video/x-raw,format=I420,multiview-mode=left",
            "videoconvert ! capssetter caps=video/x-raw,multiview-mode=left"),
    picture("cropped", "video/x-raw", "videocrop left=3 top=5 right=2",
            tail="videoconvert"),
    Row("padded-by-libav", "raw", "filesrc location={media:mpeg2.mpg} ! "
        "mpegpsdemux ! mpegvideoparse ! avdec_mpeg2video max-threads=1"),
    Row("padded-by-vpx", "raw", "filesrc location={media:vp9.webm} ! "
        "matroskademux ! vp9dec"),
    Row("interlaced-decoded", "raw", "filesrc location={media:interlaced.ts} ! "
        f"tsdemux ! {DECODE_H264}"),
    Row("overlay", "raw", f"{VIDEO} ! textoverlay text=datahub"),
    Row("caps-change", "raw", "concat name=c ! {0} "
        "videotestsrc num-buffers=20 pattern=ball ! "
        "video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! c. "
        "videotestsrc num-buffers=20 pattern=ball ! "
        "video/x-raw,format=NV12,width=320,height=240,framerate=50/1 ! c. "
        "videotestsrc num-buffers=20 pattern=ball ! "
        "video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! c.",
        late=True),
]


def sound(name, caps, convert="audioconvert", **options):
    return Row(name, "audio", "audiotestsrc num-buffers=60 ! audio/x-raw,"
               f"rate=48000 ! {convert} ! {caps}", **options)


AUDIO_ROWS = [
    sound("s16", "audio/x-raw,format=S16LE,channels=2", late=True),
    sound("s16-mono", "audio/x-raw,format=S16LE,channels=1"),
    sound("u8", "audio/x-raw,format=U8,channels=1"),
    sound("s24", "audio/x-raw,format=S24LE,channels=2"),
    sound("s16-swapped", "audio/x-raw,format=S16BE,channels=2"),
    sound("f64", "audio/x-raw,format=F64LE,channels=2"),
    sound("f32-planar", "audio/x-raw,format=F32LE,channels=2,"
          "layout=non-interleaved", late=True),
    sound("s16-planar-7.1", "audio/x-raw,format=S16LE,channels=8,"
          "channel-mask=(bitmask)0xc3f,layout=non-interleaved"),
    sound("32-channels", "audio/x-raw,format=S16LE,channels=32,"
          "channel-mask=(bitmask)0"),
    sound("32-channels-planar", "audio/x-raw,format=F32LE,channels=32,"
          "channel-mask=(bitmask)0,layout=non-interleaved"),
    sound("192k", "audio/x-raw,format=S32LE,channels=2,rate=192000",
          "audioconvert ! audioresample"),
    Row("aac-decoded", "audio", f"{MP4} d.audio_0 ! aacparse ! avdec_aac"),
    Row("vorbis-5.1-decoded", "audio", "audiotestsrc num-buffers=60 ! "
        "audio/x-raw,rate=48000,channels=6 ! vorbisenc ! vorbisdec"),
    Row("caps-change-audio", "audio", "concat name=c ! {0} "
        "audiotestsrc num-buffers=20 ! audio/x-raw,format=S16LE,rate=48000,"
        "channels=2 ! c. audiotestsrc num-buffers=20 ! audio/x-raw,"
        "format=F32LE,rate=44100,channels=1 ! c."),
]


def payloaded(name, source, pay, tail, **options):
    return Row(name, "other", f"{source} ! {pay} seqnum-offset=0 "
               "timestamp-offset=0 ssrc=1", tail, **options)


OTHER = [
    Row("subtitles", "other", "filesrc location={text:subtitles.srt} "
        "! subparse"),
    Row("text-bytes", "other", "filesrc location={text:subtitles.srt}"),
    Row("klv", "other", KLV),
    Row("klv-without-time", "other", "multifilesrc location={text:packet.klv} "
        "num-buffers=30 caps=meta/x-klv,parsed=true"),
    Row("klv-in-ts", "other", f"{KLV} ! mpegtsmux", "tsdemux", fresh=True,
        late_end="none"),
    Row("captions-708", "other", CAPTIONS),
    Row("captions-608", "other", f"{CAPTIONS} ! ccconverter ! "
        "closedcaption/x-cea-608,format=s334-1a"),
    Row("captions-on-pictures", "other", f"{VIDEO} ! cccombiner name=c ! {{0}} "
        f"{CAPTIONS} ! c.caption"),
    Row("time-codes", "other", f"{VIDEO} ! timecodestamper"),
    payloaded("rtp-h264", f"{MP4} d.video_0 ! h264parse", "rtph264pay config-interval=-1",
              f"rtph264depay ! {DECODE_H264}"),
    payloaded("rtp-vp8", "filesrc location={media:film.webm} ! matroskademux "
              "name=d d.video_0", "rtpvp8pay",
              "rtpvp8depay ! vp8dec"),
    payloaded("rtp-opus", "audiotestsrc num-buffers=60 ! audio/x-raw,"
              "rate=48000,channels=2 ! opusenc", "rtpopuspay",
              "rtpopusdepay ! opusdec", late_end="some"),
    payloaded("rtp-l16", "audiotestsrc num-buffers=60 ! audioconvert ! "
              "audio/x-raw,format=S16BE,rate=48000,channels=2", "rtpL16pay",
              "rtpL16depay"),
    payloaded("rtp-jpeg", f"{VIDEO} ! jpegenc", "rtpjpegpay",
              "rtpjpegdepay ! jpegdec"),
    Row("gdp", "other", f"{VIDEO} ! gdppay", "gdpdepay", late_end="none",
        fresh=True),
    Row("image-stream", "other", f"{VIDEO} ! jpegenc ! multipartmux",
        "multipartdemux ! jpegdec"),
    Row("bytes-of-any-kind", "other", "filesrc location={text:noise.bin} "
        "blocksize=7919", late=True),
    Row("empty-buffers", "other", "fakesrc num-buffers=30 sizetype=empty",
        fresh=True),
]

CAMERA = ("videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,"
          "width=176,height=144,framerate=50/1")

LIVE = [
    Row("camera", "live", CAMERA, live=True, late=True),
    Row("camera-h264", "live", f"{CAMERA} ! x264enc tune=zerolatency "
        "speed-preset=ultrafast key-int-max=10 ! h264parse", DECODE_H264,
        live=True, late=True),
    Row("camera-h264-b-frames", "live", f"{CAMERA} ! x264enc bframes=2 "
        "b-adapt=false speed-preset=ultrafast key-int-max=10 rc-lookahead=5 "
        "! h264parse", DECODE_H264, live=True),
    Row("microphone", "live", "audiotestsrc is-live=true freq=441.7 "
        "samplesperbuffer=480 ! audio/x-raw,format=S16LE,rate=48000,channels=2", live=True,
        late=True),
    Row("camera-and-microphone", "live", f"{CAMERA} ! {{0}} audiotestsrc "
        "is-live=true samplesperbuffer=480 ! audio/x-raw,rate=48000,channels=2 "
        "! {1}", ("identity", "identity"), live=True),
    Row("camera-in-ts", "live", f"{CAMERA} ! x264enc tune=zerolatency "
        "speed-preset=ultrafast key-int-max=10 ! h264parse ! mpegtsmux",
        f"tsdemux ! {DECODE_H264}", live=True, late=True, late_end="none"),
    Row("paced-file", "live", f"{MP4} d.video_0 ! h264parse", DECODE_H264,
        synced=True, late=True),
    Row("producer-pauses", "live", f"{MP4} d.video_0 ! h264parse", DECODE_H264,
        synced=True, pause="producer"),
    Row("consumer-pauses", "live", f"{MP4} d.video_0 ! h264parse", DECODE_H264,
        synced=True, pause="consumer"),
    Row("consumer-of-camera-pauses", "live", CAMERA, live=True,
        pause="consumer"),
]


def sought(name, at, flags, start=-1, stop=-1, rate=1.0, source=None,
           tail=DECODE_H264):
    return Row(name, "seeks", source or f"{MP4} d.video_0 ! h264parse", tail,
               seek=(at, rate, flags, start, stop))


SECOND = 1_000_000_000
DECODED = f"{MKV} d.video_0 ! {DECODE_H264}"
SEEKS = [
    sought("seek-key-unit", 10, FLUSH | KEY_UNIT, SECOND),
    sought("seek-accurate", 10, FLUSH | ACCURATE, SECOND),
    sought("seek-accurate-to-stop", 10, FLUSH | ACCURATE, SECOND // 2,
           SECOND * 3 // 2),
    sought("seek-in-paused", "paused", FLUSH | ACCURATE, SECOND),
    sought("seek-in-paused-decoded", "paused", FLUSH | ACCURATE, SECOND,
           source=DECODED, tail="identity"),
    sought("seek-segment", "paused", FLUSH | ACCURATE | SEGMENT, SECOND // 2,
           SECOND, tail="identity"),
    sought("rate-2", "paused", FLUSH | ACCURATE, 0, rate=2.0),
    sought("rate-2-decoded", "paused", FLUSH | ACCURATE, 0, rate=2.0,
           source=DECODED, tail="identity"),
    sought("reverse-decoded", "paused", FLUSH | ACCURATE, 0, SECOND, -1.0,
           source=DECODED, tail="identity"),
    sought("reverse", "paused", FLUSH | ACCURATE, 0, SECOND, -1.0),
    sought("reverse-raw", "paused", FLUSH | ACCURATE, 0, SECOND, -1.0,
           source=VIDEO.replace("num-buffers=50 ", ""), tail="identity"),
    sought("trick-key-units", "paused", FLUSH | KEY_UNIT | 0x10 | 0x80, 0,
           rate=4.0),
]

ROWS = CONTAINERS + MUXED + CODECS + RAW + AUDIO_ROWS + OTHER + LIVE + SEEKS
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))

# Small inputs that are written, not encoded.
TEXTS = {
    "subtitles.srt": "".join(
        f"{i + 1}\n00:00:0{i},000 --> 00:00:0{i},800\nLine {i}\n\n"
        for i in range(8)).encode(),
    # A local set of MISB ST 0601 with its time stamp.
    "packet.klv": bytes.fromhex("060e2b34020b01010e01030101000000"
                                "0e" "02080004f2a3b1c5d7e0" "01021a2b"),
    "noise.bin": b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest()
                          for i in range(10000)),
}
