"""Answers by cue words: what somebody writes in an afternoon, and what a model has to beat."""

import re
from collections.abc import Mapping, Sequence

from training.data.example import Task

NEGATIVE = (
    r"差|烂|垃圾|坑|骗|失望|难用|不好用|后悔|恶心|卡顿|闪退|崩|报错|失败|不了|不能用|没法|无法|太慢|很慢|卡死|死机|黑屏|丢失|丢了|没了|白费|"
    r"白花|气死|无语|投诉|退款|退钱|卸载|敷衍|忽悠|贵|不值|糟|没反应|不靠谱|误导|再也不|不如|什么破|破(?:软件|游戏|app)|急死|耽误|害我|浪费|"
    r"离谱|反人类|麻烦|莫名其妙|不理|没人管|连.{1,8}都(?:没|不)|"
    r"\b(?:bad|terrible|awful|horrible|worst|useless|garbage|trash|hate|broken|crash\w*|slow|scam|disappoint\w*|refund|"
    r"annoying|frustrat\w*|waste|fail\w*|bug\w*|can't|cannot|doesn't work|won't|never again|rip-?off|overpriced)\b"
)
POSITIVE = (
    r"(?<!不)(?:好用|好评|喜欢|满意|推荐|方便|值得|靠谱|流畅|贴心|给力|稳定|清晰|够用)|很棒|太棒|真棒|不错|优秀|完美|点赞|省心|省事|惊喜|"
    r"五星|良心|神器|真香|超赞|爱了|没得说|终于(?:有|等到|不用)|帮了大忙|救了|放心|舒服|感动|谢谢你们|越来越好|"
    r"\b(?:good|great|love|loves|excellent|amazing|awesome|perfect|best|nice|fantastic|wonderful|helpful|easy|smooth|"
    r"reliable|recommend\w*|happy|satisfied|impressed|works? (?:well|fine|great)|well done|thank you so much)\b"
)
FAULT = (
    r"报错|错误|失败|闪退|崩|卡死|卡住|卡在|卡顿|死机|[黑白花]屏|[打点进登连传发导用收看存改删]不(?:开|进|动|上|了|到|出)|不能用|无法|没法|"
    r"没反应|无响应|不动|不响|转圈|显示不|不显示|丢失|丢了|不见了|没了|消失|没收到|异常|故障|失灵|不灵|断[线连]|掉[线了]|乱码|对不上|不准|"
    r"重复|不同步|很慢|太慢|坏了|没到账|明明|就弹|一直|还是(?:不|没)|自己(?:就|取消|退|关|重启)|变成了?|bug|"
    r"\b(?:errors?|crash\w*|fail\w*|broken|bug\w*|freez\w+|stuck|hangs?|blank|missing|lost|not working|doesn't|won't|"
    r"can't|cannot|stopped|slow|timeout|times? out|wrong|disappear\w*|exception)\b|\b(?:0x[0-9a-f]+|[45]\d\d)\b"
)
FEATURE_REQUEST = (
    r"希望|建议|能不能(?:加|出|做|支持|增加|改|让|把|给)|可不可以加|可以加|加个|加一个|加上|增加|新增|最好|要是|如果能|支持一下|"
    r"什么时候(?:能|出|支持)|求(?:加|出|支持)|盼|想要|优化|改成|改进|少了|缺少|缺个|没有.{0,8}功能|连个.{0,10}都(?:没|不)|自定义|应该|才合理|就好了|"
    r"\b(?:please add|could you add|can you add|add (?:a|an|the|support)|would be (?:nice|great|helpful)|wish|i'd like|"
    r"it would|feature|support for|option to|ability to|should (?:have|be able|let|allow)|suggest\w*|instead of)\b"
)
QUESTION = (
    r"怎么(?!.{0,6}(?:又|还是|老是))|如何|请问|哪里|在哪|哪个|什么意思|是不是|有没有|能不能|可以.{0,12}吗|吗[?？]|多久|多少|求教|请教|咨询|"
    r"想问|教程|\b(?:how (?:do|can|to|much|long|many)|where|what (?:is|does|are|happens)|which|when (?:will|does|is)|"
    r"is (?:it|there)|does|can i|may i|do i|do you|why)\b"
)
OTHER = (
    r"客服|态度|价格|太贵|涨价|会员费|好评|差评|谢谢|感谢|点赞|垃圾|加油|支持你们|良心|不错|很棒|快递|物流|"
    r"\b(?:thanks|thank you|great|love|awesome|garbage|rude|staff|price|pricing|expensive|keep it up|well done)\b"
)
CUES: Mapping[Task, Mapping[str, str]] = {
    "sentiment": {"negative": NEGATIVE, "positive": POSITIVE},
    "classify": {"fault": FAULT, "feature_request": FEATURE_REQUEST, "question": QUESTION, "other": OTHER},
}
"""A pattern for each label. Of labels with equally many hits the first wins, except between praise and blame."""
FALLBACK: Mapping[Task, str] = {"sentiment": "neutral", "classify": "fault"}
"""The label of texts without a cue (for tickets the commonest), and of texts with as much praise as blame."""


def keyword_answers(task: Task, texts: Sequence[str]) -> list[str]:
    """Label of each text by its cues; raises KeyError for a task without rules."""
    patterns = {label: re.compile(pattern, re.IGNORECASE) for label, pattern in CUES[task].items()}
    answers = []
    for text in texts:
        hits = {label: len(pattern.findall(text)) for label, pattern in patterns.items()}
        best = max(hits, key=hits.__getitem__)
        tied = task == "sentiment" and len(set(hits.values())) == 1
        answers.append(FALLBACK[task] if tied or not hits[best] else best)
    return answers
