"""The fixed part of the script: functions of POSIX sh, for dash and for people to read."""

from __future__ import annotations

from mcc.provision.script.files import FILES
from mcc.provision.script.judging import JUDGING
from mcc.provision.script.keeping import KEEPING
from mcc.provision.script.looking import LOOKING
from mcc.provision.script.serving import SERVING
from mcc.provision.script.setting_up import SETTING_UP

FUNCTIONS = KEEPING + FILES + JUDGING + LOOKING + SETTING_UP + SERVING
