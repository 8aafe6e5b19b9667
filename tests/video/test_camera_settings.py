"""Automatics are switched off, their values fixed, and the report is what the driver has."""

import cv2
import pytest

from emotion_rppg.video.camera_settings import SETTLE_FRAMES, Setting, fix_settings


class Driver:
    """A camera whose driver has some of the settings and steps of its own."""

    def __init__(self, values: dict[int, float], *, manual: float = 1.0, step: float = 0.0) -> None:
        self.values, self.manual, self.step, self.reads = values, manual, step, 0

    def read(self):
        self.reads += 1
        return True, None

    def get(self, prop: int) -> float:
        return self.values.get(prop, -1.0)

    def set(self, prop: int, value: float) -> bool:
        if prop not in self.values:
            return False
        if prop == cv2.CAP_PROP_AUTO_EXPOSURE and value != self.manual:
            return True  # as some drivers do: accepted, and ignored
        self.values[prop] = round(value / self.step) * self.step if self.step else value
        return True


AUTOMATIC = {
    cv2.CAP_PROP_AUTO_EXPOSURE: 3.0,
    cv2.CAP_PROP_EXPOSURE: 156.0,
    cv2.CAP_PROP_GAIN: 32.0,
    cv2.CAP_PROP_AUTO_WB: 1.0,
    cv2.CAP_PROP_WB_TEMPERATURE: 4600.0,
}


def fixed(driver: Driver, **wanted: float) -> dict[str, Setting]:
    return {setting.name: setting for setting in fix_settings(driver, wanted)}


@pytest.mark.parametrize("manual", [1.0, 0.25, 0.0])
def test_automatics_are_off_and_their_values_stay(manual) -> None:
    driver = Driver(dict(AUTOMATIC), manual=manual)
    settings = fixed(driver)
    assert driver.reads == SETTLE_FRAMES
    assert driver.values[cv2.CAP_PROP_AUTO_EXPOSURE] == manual
    assert driver.values[cv2.CAP_PROP_AUTO_WB] == 0
    for name, value in (("exposure", 156.0), ("gain", 32.0), ("white_balance", 4600.0)):
        assert settings[name] == Setting(name, value, value, value, True)
    assert str(settings["exposure"]) == "exposure: 156 → 156"


def test_what_the_driver_lacks_or_refuses_is_reported_as_not_accepted() -> None:
    settings = fixed(Driver({cv2.CAP_PROP_GAIN: 3.0}), gain=5.0)
    assert [name for name, setting in settings.items() if setting.accepted] == ["gain"]
    assert settings["gain"].after == 5.0
    text = str(settings["exposure"])
    assert text == "exposure: not accepted by the driver (stays unknown)"


def test_a_value_that_the_driver_rounds_is_accepted_and_another_is_not() -> None:
    assert fixed(Driver(dict(AUTOMATIC), step=10.0), white_balance=4596.0)["white_balance"] == (
        Setting("white_balance", 4600.0, 4596.0, 4600.0, True)
    )
    rough = fixed(Driver(dict(AUTOMATIC), step=1000.0), white_balance=5400.0)["white_balance"]
    assert (rough.after, rough.accepted) == (5000.0, False)
