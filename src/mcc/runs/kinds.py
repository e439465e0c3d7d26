"""The steps that a journal of a deploy may hold."""

from __future__ import annotations

from mcc.engine.codec import Kinds, kinds_of
from mcc.steps.adopt import ExchangeEnvironment, KeepCron, UseAdopted
from mcc.steps.alembic import FurnishRoom, RunAlembic
from mcc.steps.assets import KeepAssets, LendAssets
from mcc.steps.backup import BackUpDatabases
from mcc.steps.backup_keep import PromoteSet, PruneSets
from mcc.steps.clone import CopySource, FetchSources, PutClone
from mcc.steps.conf import KeepConf
from mcc.steps.cron import InstallCron
from mcc.steps.environment import BuildEnvironment, CompileRelease, ProbeModule
from mcc.steps.folders import MakeFolders
from mcc.steps.hook import ForgetHooks, KeepHooks, RunHook
from mcc.steps.keep_present import KeepPresent
from mcc.steps.leave import CopyEnvironment, GiveEnvironment, PlainCron, RecordLeft
from mcc.steps.leftovers import RemoveLeftovers
from mcc.steps.link import ReplaceFiles, SwitchLink
from mcc.steps.maintenance import BeginMaintenance, EndMaintenance, LookForMaintenance, PlacePage
from mcc.steps.material import KeepMaterial
from mcc.steps.migrate import MigrateDatabases
from mcc.steps.offline import ResumeCron, StopServices, SuspendCron
from mcc.steps.ownership import KeepOwnership, Own
from mcc.steps.place import PlaceComponent
from mcc.steps.record import MarkBad, Prune, RecordLive, RemoveFiles, TellDatabases
from mcc.steps.record_migrations import RecordMigrations
from mcc.steps.restore import PutBack, RestoreOnFailure, VerifyCopies
from mcc.steps.rights import ShareFiles, ShareFolders, TakeLogs
from mcc.steps.services import RestartServices, ServicesBack, ServicesStable
from mcc.steps.slots import EmptySlot, LetDrain, StartSlot
from mcc.steps.smoke import SmokeTest
from mcc.steps.variables import ShareVariables, WriteVariables
from mcc.steps.wipe import EmptyDatabase, LetGo, WipeFiles


def step_kinds() -> Kinds:
    """Every step class by its name."""
    return kinds_of(
        BackUpDatabases, KeepAssets, LendAssets, PromoteSet, PruneSets,
        CopySource, FetchSources, KeepPresent, PutBack, PutClone, RestoreOnFailure, VerifyCopies,
        FurnishRoom, RunAlembic,
        ExchangeEnvironment, KeepCron, KeepMaterial, TellDatabases, UseAdopted,
        CopyEnvironment, GiveEnvironment, PlainCron, RecordLeft,
        ForgetHooks, KeepHooks, RunHook,
        BeginMaintenance, EndMaintenance, LookForMaintenance, PlacePage,
        EmptyDatabase, LetGo, WipeFiles,
        EmptySlot, LetDrain, StartSlot,
        ShareFiles, ShareFolders, ShareVariables, TakeLogs,
        BuildEnvironment, CompileRelease, InstallCron, KeepConf, KeepOwnership, MakeFolders,
        MarkBad, MigrateDatabases, Own, PlaceComponent, ProbeModule, Prune, RecordLive, RecordMigrations, RemoveFiles,
        RemoveLeftovers, ReplaceFiles,
        RestartServices, ResumeCron, ServicesBack, ServicesStable, SmokeTest, StopServices, SuspendCron, SwitchLink,
        WriteVariables,
    )  # fmt: skip
